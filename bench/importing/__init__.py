"""How long importing takes and how much memory it needs."""
