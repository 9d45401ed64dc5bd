"""Where a request came from, through as many proxies as there are."""

import pytest

from apps.core.network import client_address, network_of


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        # Nobody stands in front: the header is the client's own text.
        ("6.6.6.6", 0, "10.0.0.1"),
        ("", 1, "10.0.0.1"),
        ("198.51.100.4", 1, "198.51.100.4"),
        ("6.6.6.6, 198.51.100.4", 1, "198.51.100.4"),
        ("6.6.6.6,198.51.100.4 , 10.0.0.2", 2, "198.51.100.4"),
        # Fewer hops than proxies: somebody came around one of them.
        ("6.6.6.6", 2, "10.0.0.1"),
        # With the port, which is another one each time.
        ("198.51.100.4:50123", 1, "198.51.100.4"),
        ("[2001:db8::1]:50123", 1, "2001:db8::1"),
        ("[2001:db8::1]", 1, "2001:db8::1"),
        ("2001:db8::1", 1, "2001:db8::1"),
        ("unknown", 1, "unknown"),
        ("[unknown", 1, "[unknown"),
        ("a:b", 1, "a:b"),
    ],
)
def test_only_what_proxies_of_ours_wrote_is_believed(forwarded: str, proxies: int, address: str) -> None:
    assert client_address(remote="10.0.0.1", forwarded=forwarded, proxies=proxies) == address


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_what_one_customer_has_counts_as_one(address: str, network: str) -> None:
    assert network_of(address) == network
