"""How many connections one process keeps open for what is pushed: memory and descriptors are not without end."""

from collections import Counter

# Some 75 kB each.
MOST_CONNECTIONS = 4_000
# Of one address: a network behind one address may be large, but nobody takes all the room.
MOST_OF_ONE_ADDRESS = 2_000


class Room:
    """The places of one process."""

    def __init__(self, *, most: int = MOST_CONNECTIONS, most_of_one: int = MOST_OF_ONE_ADDRESS) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._taken: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Take a place, if there is one. Who got it leaves it again."""
        if self._taken.total() >= self._most or self._taken[address] >= self._most_of_one:
            return False
        self._taken[address] += 1
        return True

    def leave(self, address: str) -> None:
        self._taken[address] -= 1
        if not self._taken[address]:
            del self._taken[address]
