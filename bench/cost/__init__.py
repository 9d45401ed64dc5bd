"""What parts of a query cost in processor time."""
