"""What the demo and the tests run on: PostgreSQL, Valkey, the Stripe emulator and their supervisor.

Nothing here is imported by the product; nothing here is needed where the servers are given from outside.
"""
