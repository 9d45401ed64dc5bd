"""Where a request came from."""

import functools
import ipaddress


def client_address(*, remote: str, forwarded: str, proxies: int) -> str:
    """The address of the client: `remote`, the one of the connection, or behind proxies the one that the outermost saw.

    `forwarded` is the X-Forwarded-For header, `proxies` how many proxies of ours add to it. What stands further left was
    written by the client itself and says nothing.

    >>> client_address(remote="10.0.0.1", forwarded="6.6.6.6, 198.51.100.4", proxies=1)
    '198.51.100.4'
    >>> client_address(remote="10.0.0.1", forwarded="[2001:db8::1]:4711", proxies=1)
    '2001:db8::1'
    """
    if proxies:
        chain = [part.strip() for part in forwarded.split(",") if part.strip()]
        if len(chain) >= proxies:
            return _without_port(chain[-proxies])
    return remote


def _without_port(hop: str) -> str:
    """Some proxies write the port of the connection too, another one each time."""
    host = hop[1:].partition("]")[0] if hop.startswith("[") else hop.partition(":")[0] if hop.count(":") == 1 else hop
    return host if parse_address(host) is not None else hop


@functools.lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """What one customer of a provider has: an IPv4 address, or the /64 of an IPv6 one. Any other text as it is.

    >>> network_of("2001:db8:1:2:aaaa::1"), network_of("::ffff:192.0.2.1"), network_of("192.0.2.1")
    ('2001:db8:1:2::/64', '192.0.2.1', '192.0.2.1')
    """
    parsed = parse_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address if parsed is None else str(parsed)


def parse_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, of IPv4 where it is that in the clothes of IPv6; None for any other text."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
