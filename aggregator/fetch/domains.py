"""Registrable domains, the unit of politeness: one request at a time for each. Pure."""

from functools import cache
from ipaddress import ip_address

from publicsuffixlist import PublicSuffixList

from aggregator.text import urls


@cache
def _public_suffixes(*, only_icann: bool) -> PublicSuffixList:
    return PublicSuffixList(only_icann=only_icann)


@cache
def registrable_domain(host: str, *, only_icann: bool = True) -> str:
    """``feeds.blog.example.co.uk`` -> ``example.co.uk``; an IP address or single label is kept.

    ``only_icann``: without the list's private part. The thousand blogs of a blogging service share
    its servers, so they share one limit. But each is a site, with its own cookies.
    """
    host = host.rstrip(".")
    try:
        return str(ip_address(host))
    except ValueError:
        return _public_suffixes(only_icann=only_icann).privatesuffix(host) or host


def domain_of(url: str) -> str:
    """The registrable domain of a URL's host."""
    return registrable_domain(urls.host(url))
