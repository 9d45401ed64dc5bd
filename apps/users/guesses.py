"""What tries at passwords and tokens are counted against.

Two counts each. One is of the network that tries. The other is of what is tried, and knows two kinds of callers: a network
that the owner of the account has signed in from before has a count of its own, all others share one. So a stranger who tries
passwords makes all strangers wait and never the owner at home; an owner who is somewhere new meanwhile sets a new password by
mail, which works at once and makes the place known.
"""

from apps.core.ids import digest
from apps.core.network import network_of
from apps.core.throttling import Count
from apps.users.selectors import has_signed_in_from

# Many people may share a network, and each forgets a password now and then.
FREE_FOR_A_NETWORK = 100


def who_signs_in(*, email: str, address: str) -> str:
    """The key of an account, known or not, for callers from this network address."""
    wanted = email.strip().lower()
    # A lone surrogate, which JSON can carry, has no bytes of its own.
    key = f"email:{digest(wanted.encode(errors='backslashreplace').decode())}"
    return f"{key}:{network_of(address)}" if has_signed_in_from(email=wanted, address=address) else key


def password_counts(key: str, *, address: str) -> tuple[Count, Count]:
    """What a try at the password of `key` is counted against."""
    return Count("password", key, forgiven=True), of_network("password", address)


def of_network(what: str, address: str) -> Count:
    """The tries of everybody at this network."""
    return Count(f"{what}:network", network_of(address), free=FREE_FOR_A_NETWORK)


def code_counts(user_id: int, *, address: str) -> tuple[Count, Count]:
    """What a try at a code of the second factor of an account is counted against, in the admin and in the API."""
    return Count("second-factor", str(user_id), free=5, forgiven=True), of_network("second-factor", address)


def secret_counts(booking: str, *, address: str) -> tuple[Count, Count]:
    """What a try at the secret of a booking is counted against. Per network: a stranger slows down nobody else.

    `booking` is what the caller named it by, in any case and of any length.
    """
    named = digest(booking.strip().upper().encode(errors="backslashreplace").decode())
    return Count("booking", f"{named}:{network_of(address)}", forgiven=True), of_network("booking", address)
