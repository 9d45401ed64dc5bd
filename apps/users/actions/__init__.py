"""What people do with accounts: one function per use case, in modules by subject."""
