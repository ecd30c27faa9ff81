"""Whose machine an address is on: what politeness is counted by. Pure."""

from functools import cache
from ipaddress import ip_address

from publicsuffixlist import PublicSuffixList

from aggregator.text import urls


@cache
def _public_suffixes() -> PublicSuffixList:
    # Without the list's private part: the thousand blogs of one blogging service are one
    # service's machines, and are to be asked one after another.
    return PublicSuffixList(only_icann=True)


@cache
def registrable_domain(host: str) -> str:
    """``feeds.blog.example.co.uk`` -> ``example.co.uk``; an IP address or a bare name is itself."""
    host = host.rstrip(".")
    try:
        return str(ip_address(host))
    except ValueError:
        return _public_suffixes().privatesuffix(host) or host


def domain_of(url: str) -> str:
    """The registrable domain of a web address."""
    return registrable_domain(urls.host(url))
