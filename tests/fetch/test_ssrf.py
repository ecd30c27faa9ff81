from ipaddress import ip_network

import pytest

from aggregator.fetch.domains import domain_of
from aggregator.fetch.ssrf import Guard, address_to_allow, is_public


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_allowed(address):
    assert is_public(address)
    assert Guard().allows(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.0.1", "::1",  # loopback
        "10.1.2.3", "172.16.0.1", "192.168.1.1", "fd12::1",  # private
        "169.254.0.1", "fe80::1", "fe80::1%eth0",  # link-local
        "100.64.0.1", "100.127.255.254",  # carrier-grade NAT
        "224.0.0.1", "239.1.1.1", "ff02::1", "255.255.255.255",  # multicast, broadcast
        "0.0.0.0", "0.1.2.3", "::",  # unspecified, "this network"
        "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254",  # metadata
        "::ffff:127.0.0.1", "::ffff:a00:1", "::127.0.0.1",  # IPv4 in IPv6
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808",  # NAT64
        "2002:7f00:1::", "2002:a00:1::1",  # 6to4
        "2001:0:7f00:1::", "2606:4700::5efe:a00:1",  # Teredo, ISATAP
        "198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "240.0.0.1",
        "fec0::1", "100::1",
    ],
)  # fmt: skip
def test_other_addresses_are_refused(address):
    assert not is_public(address)
    assert not Guard().allows(address)
    assert Guard([ip_network(address_to_allow(address))]).allows(
        address
    )  # and so the advice is good


def test_allowed_networks():
    guard = Guard([ip_network("10.0.0.5/32"), ip_network("fd00::/8")])
    assert guard.allows("10.0.0.5")
    assert guard.allows("::ffff:10.0.0.5")
    assert guard.allows("fd12::1")
    assert guard.allows("8.8.8.8")
    assert not guard.allows("10.0.0.6")
    assert not guard.allows("2606:4700::5efe:7f00:1")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://feeds.blog.example.co.uk/a", "example.co.uk"),
        ("https://alice.wordpress.com/feed", "wordpress.com"),
        ("http://127.0.0.1:8000/", "127.0.0.1"),
        ("http://[::1]:8000/", "::1"),
        ("http://localhost/", "localhost"),
        ("https://Example.ORG./", "example.org"),
    ],
)
def test_registrable_domains(url, host):
    assert domain_of(url) == host
