"""Signing in through others: trusted issuers, their keys, and the OpenID Connect redirect. Who may is for the actions to say."""
