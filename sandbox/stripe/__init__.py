"""A stateful Stripe for one machine: the official client talks to it as to the real one."""
