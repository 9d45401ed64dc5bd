"""A password hasher that costs next to nothing, for tests that do not measure it."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class QuickArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2 with the least that it takes; its hashes are those of the real one."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1
