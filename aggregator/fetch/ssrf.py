"""The guard against server-side request forgery: which addresses may be connected to. Pure.

Strangers choose the URLs of feeds and redirects, and the addresses of names. Without a guard they
could make us send requests to machines of our own network. Allowed are addresses of the public
Internet, and the networks in a subscription's ``allow_private``.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from aggregator.model import Network

Address = IPv4Address | IPv6Address

# Networks that `ipaddress` calls global, at least in some versions of Python.
_REFUSED = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # "this network" (RFC 1122)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598); a cloud's metadata at 100.100.100.200
        "168.63.129.16/32",  # Azure's metadata, a public address by its number
        "192.0.0.0/24",  # protocol assignments (RFC 6890); Oracle's metadata
        "192.88.99.0/24",  # 6to4 relays, deprecated (RFC 7526)
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "::/96",  # IPv4-compatible, deprecated (RFC 4291 section 2.5.5.1); unspecified, loopback
        "64:ff9b:1::/48",  # NAT64 of a local network (RFC 8215)
        "100::/64",  # discard (RFC 6666)
        "2001::/23",  # protocol assignments; Teredo, which hides an IPv4 address
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing (RFC 9602)
        "fc00::/7",  # unique local (RFC 4193); a cloud's metadata at fd00:ec2::254
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, deprecated (RFC 3879)
        "ff00::/8",  # multicast
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214 section 6.1


class Guard:
    """Decides for the requests of one subscription, redirects included."""

    def __init__(self, allow_private: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allow_private)

    def allows(self, address: str) -> bool:
        """Whether a connection to ``address``, a result of `socket.getaddrinfo`, is allowed."""
        return is_public(address) or all(
            _is_public(form) or any(form in network for network in self._allowed)
            for form in _forms(_parse(address))
        )


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Whether the address is on the public Internet, also where it embeds another address."""
    return all(map(_is_public, _forms(_parse(address))))


def address_to_allow(address: str) -> str:
    """The private address to allow for ``address``, which is refused; embedded ones are extracted."""
    return str(next(form for form in _forms(_parse(address)) if not _is_public(form)))


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in _REFUSED)
    )


def _parse(address: str) -> Address:
    return ip_address(address.partition("%")[0])  # ignore a scope ("fe80::1%eth0")


def _forms(address: Address) -> list[Address]:
    """The address that packets finally reach; for ISATAP also the one that embeds it."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:  # ::ffff:127.0.0.1 is 127.0.0.1
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:  # 2002:7f00:1:: is 127.0.0.1
        return [address.sixtofour]
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return [address, IPv4Address(int(address) & 0xFFFFFFFF)]
    return [address]
