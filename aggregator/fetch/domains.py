"""Registrable domains, the unit of politeness: one request at a time for each. Pure."""

from functools import cache
from ipaddress import ip_address

from publicsuffixlist import PublicSuffixList

from aggregator.text import urls


@cache
def _public_suffixes() -> PublicSuffixList:
    # Without the list's private part: the thousand blogs of a blogging service share its servers,
    # so they share one limit.
    return PublicSuffixList(only_icann=True)


@cache
def registrable_domain(host: str) -> str:
    """``feeds.blog.example.co.uk`` -> ``example.co.uk``; an IP address or single label is kept."""
    host = host.rstrip(".")
    try:
        return str(ip_address(host))
    except ValueError:
        return _public_suffixes().privatesuffix(host) or host


def domain_of(url: str) -> str:
    """The registrable domain of a URL's host."""
    return registrable_domain(urls.host(url))
