"""Faults of publishers and networks.

Most of them happen to one installation at the same time (`storm`): in the first run every source
works, in the second run each of many sources has a fault. So each test also shows that the other
faults do not interfere.
"""

import gzip
import os
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from ipaddress import ip_network

import brotli
import pytest
import trustme
import zstandard

from aggregator.model import Fetched
from tests.faults.catalogue import fault
from tests.faults.helpers import communicate_and_measure, strace
from tests.faults.world import FIRST, SECOND, World
from tests.fetch.test_poller import Names, fetch, reason
from tests.harness import LOOPBACK, item, rss
from tests.origin import Answer, Origin, origin

THIRD = "2026-11-25T15:00"
OK = b"HTTP/1.1 200 OK\r\n"
GOOD = rss(item("The commons were here", "https://bad.example/never")).encode()
PORTAL = Answer(
    b"<!DOCTYPE html><html><head><title>Sign in to Hotel Wifi</title></head><body><form></form>",
    headers={"Content-Type": "text/html", "ETag": '"portal"', "Cache-Control": "max-age=31536000"},
)


def endless(head: bytes = b"", each: bytes = b"x", every: float = 0.0) -> Answer:
    """An endless answer: ``head``, then ``each`` again and again, every so many seconds."""

    def chunks() -> Iterator[bytes]:
        yield head
        while True:
            time.sleep(every)
            yield each

    return Answer(raw=chunks)


def encoded(body: bytes, coding: str) -> Answer:
    return Answer(body, headers={"Content-Encoding": coding})


def redirect(location: str, status: int = 302) -> Answer:
    # In UTF-8, as browsers read it, though http.server would have it in Latin-1.
    return Answer(status=status, headers={"Location": location.encode().decode("latin-1")})


ZEROS = bytes(200_000_000)
# name: (the publisher's answer, a part of our message)
TRUNCATED = {
    "reset before the answer": (Answer(raw=b"", reset=True), "the connection was reset"),
    "reset in the body": (
        Answer(raw=OK + b"Content-Length: 9999\r\n\r\n" + GOOD, reset=True),
        "cut short",
    ),
    "closed without an answer": (Answer(raw=b""), "closed without an answer"),
    "shorter than Content-Length": (
        Answer(raw=OK + b"Content-Length: 9999\r\n\r\n" + GOOD),
        "cut short",
    ),
    "chunks without an end": (
        Answer(raw=OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(GOOD) + GOOD),
        "cut short",
    ),
    "truncated gzip": (encoded(gzip.compress(GOOD)[:-9], "gzip"), "cut short"),
    "truncated brotli": (encoded(brotli.compress(GOOD)[:-3], "br"), "cut short"),
}
SLOW = {
    "no answer at all": (Answer(wait=lambda: time.sleep(45)), "no answer in time"),
    "a byte a second": (endless(OK + b"\r\n", b"<", 1), "longer than 30 s"),
    "a header a second": (endless(OK, b"X-Slow: y\r\n", 1), "longer than 30 s"),
}
LARGE = {
    "an endless body": (endless(OK + b"\r\n", b"x" * 65536), "larger than 10 MiB"),
    "Content-Length of 99 GB": (
        Answer(raw=OK + b"Content-Length: 99000000000\r\n\r\n"),
        "larger than 10 MiB",
    ),
    "gzip of 200 MB": (encoded(gzip.compress(ZEROS), "gzip"), "larger than 10 MiB"),
    "brotli of 200 MB": (encoded(brotli.compress(ZEROS, quality=5), "br"), "larger than 10 MiB"),
    "zstandard of 200 MB": (encoded(zstandard.compress(ZEROS), "zstd"), "larger than 10 MiB"),
    "gzip in gzip": (
        encoded(gzip.compress(gzip.compress(ZEROS)), "gzip, gzip"),
        "larger than 10 MiB",
    ),
    "gzip in gzip, a hundred times": (
        encoded(GOOD, ", ".join(["gzip"] * 100)),
        "more than 3 encodings",
    ),
    "a header of 5 MB": (
        Answer(raw=OK + b"X: " + b"x" * 5_000_000 + b"\r\n\r\n"),
        "the headers are larger than 256 KiB",
    ),
    "endless headers": (endless(OK, b"X-Endless: y\r\n" * 100), "more than 1,000 headers"),
    "endless chunks of a byte": (
        endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000),
        "too many chunks",
    ),
}
MALFORMED = {
    "another protocol": (
        Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
        "not an HTTP answer: it begins with 'SSH-2.0-OpenSSH_9.6'",
    ),
    "random bytes": (Answer(raw=bytes(range(256)) * 4), "not an HTTP answer"),
    "a Content-Length that is not a number": (
        Answer(raw=OK + b"Content-Length: 1x\r\n\r\n"),
        "empty answer",
    ),
    "two Content-Lengths": (
        Answer(raw=OK + b"Content-Length: 9\r\nContent-Length: 5\r\n\r\n<rss/>"),
        "two different Content-Length headers, 5 and 9",
    ),
    "an invalid chunk": (
        Answer(raw=OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n<rss"),
        "chunks are broken",
    ),
    "declared as gzip, but not compressed": (encoded(GOOD, "gzip"), "compression (gzip) is broken"),
    "declared as brotli, but gzip": (
        encoded(gzip.compress(GOOD), "br"),
        "compression (br) is broken",
    ),
    "gzip with a wrong checksum": (
        encoded(gzip.compress(GOOD)[:-8] + bytes(8), "gzip"),
        "compression (gzip) is broken",
    ),
    "an unknown encoding": (
        encoded(b"\xff\6\0\0sNaPpY", "snappy"),
        'unsupported encoding "snappy"',
    ),
}
STATUS = {
    "204": (Answer(status=204), "empty"),
    "206": (Answer(GOOD, status=206), "HTTP 206 Partial Content (partial content"),
    "300": (Answer(GOOD, status=300), "HTTP 300 Multiple Choices (several addresses"),
    "401": (Answer(GOOD, status=401), "needs a password"),
    "404": (Answer(GOOD, status=404), "HTTP 404"),
    "410": (Answer(GOOD, status=410), "remove it"),
    "500": (Answer(GOOD, status=500), "HTTP 500"),
    "999": (Answer(GOOD, status=999), "HTTP 999"),
    "an empty answer": (Answer(b" \n"), "empty"),
    "a login page": (PORTAL, 'an HTML page called "Sign in to Hotel Wifi"'),
    "a login page declared as RSS": (
        Answer(PORTAL.body, headers={"Content-Type": "application/rss+xml"}),
        'an HTML page called "Sign in to Hotel Wifi"',
    ),
}
REDIRECTS = {
    "to itself": (redirect("/to%20itself"), "too many redirects (5)"),
    "an endless chain": (redirect("/further/1"), "too many redirects (5), the last to"),
    "no Location": (Answer(status=302), "redirects to no web address"),
    "to an invalid URL": (redirect("http://[bad"), "redirects to no web address"),
    "to an invalid port": (redirect("http://127.0.0.1:99999/"), "redirects to no web address"),
    "to a file": (redirect("file:///etc/passwd"), "redirects to no web address"),
    "to gopher": (redirect("gopher://127.0.0.1/"), "redirects to no web address"),
    "to data": (redirect("data:application/rss+xml,<rss/>"), "redirects to no web address"),
    "to a very long URL": (redirect("/" + "x" * 5000), "4096"),
}
# Notations of an address that a redirect must not reach: the source may only use its own address.
INSIDE = "127.0.0.200"
PRIVATE = {
    "dotted": INSIDE,
    "decimal": "2130706632",
    "hexadecimal": "0x7f0000c8",
    "octal": "0177.0.0.0310",
    "short": "127.200",
    "mapped": f"[::ffff:{INSIDE}]",
    "mapped, hexadecimal": "[::ffff:7f00:c8]",
    "compatible": f"[::{INSIDE}]",
    "NAT64": f"[64:ff9b::{INSIDE}]",
    "6to4": "[2002:7f00:c8::]",
    "a trailing dot": f"{INSIDE}.",
    "full-width digits": "１２７.０.０.２００",
    "percent": "127%2e0.0.200",
    "localhost": "localhost",
    "IPv6": "[::1]",
    "link-local": "169.254.169.254",
    "unspecified": "0.0.0.0",
}


REFUSED = {
    "Private": ("set allow_private = [", "not a valid address", "name not found"),
    # Without advice: the publisher chose the address.
    "Inwards": ("redirects to a private address", "not a valid address", "name not found"),
}


@dataclass
class Storm:
    """An installation with all faults at the same time, and the results of its runs."""

    world: World
    err: str = ""
    lines: dict[str, list[str]] = field(default_factory=dict)
    peak_bytes: int = 0
    titles: dict[str, list[str]] = field(default_factory=dict)  # after the run with faults
    recovered_err: str = ""


FAULTS = {**TRUNCATED, **SLOW, **LARGE, **MALFORMED, **STATUS, **REDIRECTS}
UNREACHABLE = {
    "connection refused": ("http://127.0.0.1:1/", "connection refused"),
    "unknown host name": ("http://host.invalid/", "name not found"),
    "server without TLS": (
        "https://127.0.3.200:{port}/well",
        "TLS: the server does not use it there: does the address begin with http://?",
    ),
}
TLS = {"expired": "expired", "self-signed": "self-signed", "for another name": "not valid for"}
WORKING = [f"Good {number}" for number in range(30)]


def certificates(authority: trustme.CA, host: str) -> dict[str, trustme.LeafCert]:
    return {
        "expired": authority.issue_cert(host, not_after=datetime(2020, 1, 1, tzinfo=UTC)),
        "self-signed": trustme.CA().issue_cert(host),
        "for another name": authority.issue_cert("other.test"),
    }


def edition(name: str, *, second: bool) -> bytes:
    """The first or second edition of a working source."""
    slug = name.replace(" ", "-").replace(",", "")
    items = [
        item(f"The commons: {name}, {n}", f"https://{slug}.example/{n}") for n in range(1 + second)
    ]
    return rss(*items, title=name).encode()


def subscription_toml(name: str, url: str, more: str = LOOPBACK) -> str:
    return f'[[subscriptions]]\ntitle = "{name}"\nurl = "{url}"\n{more}'


def make_path(name: str) -> str:
    return "/" + name.replace(" ", "%20")


def lines_by_source(err: str) -> dict[str, list[str]]:
    """The messages by the name of the source at their start."""
    lines: dict[str, list[str]] = {}
    for line in err.splitlines():
        name = line.partition('"')[2].partition('":')[0]
        lines.setdefault(name, []).append(line)
    return lines


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory, publishers: Origin) -> Iterator[Storm]:
    """Three runs: all sources work, then each has its fault, then all work again."""
    world = World(tmp_path_factory.mktemp("storm"), publishers)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(world.root / "ca.pem")
    env = os.environ | {"SSL_CERT_FILE": str(world.root / "ca.pem")}
    publishers.answers.clear()
    publishers.all_requests.clear()
    text = ""
    with ExitStack() as stack:
        for number, name in enumerate([*FAULTS, *WORKING]):
            text += subscription_toml(
                name, publishers.url(make_path(name), f"127.0.3.{number + 1}")
            )
        for name, (url, _) in UNREACHABLE.items():
            text += subscription_toml(name, url.format(port=publishers.port))
        for name, certificate in certificates(authority, "127.0.4.1").items():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            secure = stack.enter_context(origin("127.0.4.1", tls=context))
            secure["/feed"] = edition(name, second=True)
            text += subscription_toml(name, secure.url("/feed", "127.0.4.1"))
        for number, (notation, host) in enumerate(PRIVATE.items()):
            inside = f"http://{host}:{publishers.port}/inside?{number}"
            text += subscription_toml(f"Private, {notation}", inside, "")
            own = f"127.0.5.{number + 1}"
            publishers[f"/inwards/{number}"] = redirect(inside)
            text += subscription_toml(
                f"Inwards, {notation}",
                publishers.url(f"/inwards/{number}", own),
                f'allow_private = "{own}/32"\n',
            )
            publishers[f"/inside?{number}"] = edition("Inside", second=True)
        publishers["/further/5"] = publishers["/well"] = edition("Further", second=True)
        for number in range(1, 9):
            publishers[f"/further/{number}"] = redirect(f"/further/{number + 1}")
        world.prepare()
        head = (world.root / "feeds.toml").read_text("utf-8").partition("[[subscriptions]]")[0]
        world.write("feeds.toml", head + text)

        def serve(*, second: bool) -> None:
            for name in [*FAULTS, *WORKING]:
                publishers[make_path(name)] = edition(name, second=second)

        serve(second=False)
        world.call("run", "--all", clock=FIRST, env=env)
        storm = Storm(world)
        serve(second=True)
        for name, (answer, _) in FAULTS.items():
            publishers[make_path(name)] = answer
        process = world.start("-v", "run", "--all", clock=SECOND, env=env, may_fork=False)
        out, storm.err, storm.peak_bytes = communicate_and_measure(process)
        assert process.returncode == 0, storm.err
        assert out == ""
        storm.lines = lines_by_source(storm.err)
        storm.titles = world.titles()
        serve(second=True)
        _, storm.recovered_err = world.call("-v", "run", "--all", clock=THIRD, env=env)
        yield storm


def check_reported(storm: Storm, name: str, words: str) -> None:
    """One line gives the name and the reason; stored entries stay; the next working feed is parsed."""
    lines = storm.lines.get(name, [])
    assert len(lines) == 1, lines
    assert lines[0].startswith(f'"{name}": ')
    assert words in lines[0]
    assert len(lines[0]) < 400
    if name in FAULTS:
        assert storm.titles[name] == [f"The commons: {name}, 0"]
        assert storm.world.titles()[name] == [f"The commons: {name}, {n}" for n in (0, 1)]
        assert f'"{name}":' not in storm.recovered_err


EXPECTED = (
    "one line with the name and the reason; nothing of the incomplete answer is stored, stored entries stay, and "
    "the next complete answer is parsed"
)


@fault(
    "W01",
    "Many sources fail in one run",
    produced=f"{len(WORKING)} working sources and all sources of W02 to W10, in one feeds.toml and one run",
    must="exit code 0; all working sources are updated in this run; each other has one line; no traceback; outputs "
    "are valid; memory stays under 300 MB; a day later all are parsed again",
    promises="P1 P2 P5 P7",
)
def test_many_sources_fail_in_one_run(storm):
    assert "Traceback" not in storm.err
    for name in WORKING:
        assert storm.titles[name] == [f"The commons: {name}, {n}" for n in (0, 1)]
        assert name not in storm.lines
    failing = [*FAULTS, *UNREACHABLE, *TLS]
    failing += [f"{kind}, {notation}" for kind in ("Private", "Inwards") for notation in PRIVATE]
    assert {
        name: len(lines) for name, lines in storm.lines.items() if name in failing
    } == dict.fromkeys(failing, 1)
    assert storm.peak_bytes < 300_000_000
    storm.world.check_valid()


@fault(
    "W02",
    "No connection",
    produced=", ".join(UNREACHABLE),
    must="one line with the name and the reason",
    promises="P1 P2",
    cases=list(UNREACHABLE),
)
def test_no_connection(storm, case):
    check_reported(storm, case, UNREACHABLE[case][1])


@fault(
    "W03",
    "Truncated answers",
    produced=", ".join(TRUNCATED),
    must=EXPECTED,
    promises="P1 P2 P3",
    cases=list(TRUNCATED),
)
def test_truncated_answers(storm, case):
    check_reported(storm, case, TRUNCATED[case][1])


@fault(
    "W04",
    "Slow answers",
    produced=", ".join(SLOW),
    must="the request is aborted after 15 s of silence or 30 s in total; other sources do not wait; "
    + EXPECTED,
    promises="P1 P2 P3 P7",
    cases=list(SLOW),
)
def test_slow_answers(storm, case):
    check_reported(storm, case, SLOW[case][1])


@fault(
    "W05",
    "Large answers",
    produced=", ".join(LARGE),
    must="the request is aborted at 10 MiB, compressed or decompressed; " + EXPECTED,
    promises="P1 P2 P3 P7",
    cases=list(LARGE),
)
def test_large_answers(storm, case):
    check_reported(storm, case, LARGE[case][1])


@fault(
    "W06",
    "Malformed answers",
    produced=", ".join(MALFORMED),
    must=EXPECTED,
    promises="P1 P2 P3",
    cases=list(MALFORMED),
)
def test_malformed_answers(storm, case):
    check_reported(storm, case, MALFORMED[case][1])


@fault(
    "W07",
    "Answers without a feed",
    produced=f"status {', '.join(STATUS)}",
    must="the message says what the answer means and what to do; stored entries stay, and the next feed is parsed",
    promises="P1 P2 P3",
    cases=list(STATUS),
)
def test_answers_without_a_feed(storm, case):
    check_reported(storm, case, STATUS[case][1])


@fault(
    "W08",
    "Broken redirects",
    produced=", ".join(REDIRECTS),
    must="at most 5 redirects are followed, and only to web addresses; one line; stored entries stay",
    promises="P1 P2 P3 P7 P12",
    cases=list(REDIRECTS),
)
def test_broken_redirects(storm, case):
    check_reported(storm, case, REDIRECTS[case][1])


@fault(
    "W09",
    "Invalid certificates",
    produced=", ".join(TLS),
    must="one line with the reason; no request is sent, neither with nor without TLS",
    promises="P1 P2 P11",
    cases=list(TLS),
)
def test_invalid_certificates(storm, case):
    check_reported(storm, case, "TLS: ")
    check_reported(storm, case, TLS[case])
    assert case not in storm.titles


@fault(
    "W10",
    "Private addresses",
    produced=f"a source, and a redirect of a source that may only use its own address, to a private address: "
    f"{'; '.join(PRIVATE)}",
    must="one line; no connection to the private address; the advice to allow it only if it is in feeds.toml",
    promises="P1 P2 P8",
    cases=list(PRIVATE),
)
def test_private_addresses(storm, case):
    for kind in ("Private", "Inwards"):
        check_reported(storm, f"{kind}, {case}", "")
        (line,) = storm.lines[f"{kind}, {case}"]
        assert any(words in line for words in REFUSED[kind]), line
    assert not any("inside" in request.path for request in storm.world.origin.all_requests)


LOCAL = (ip_network("127.0.0.1/32"), ip_network("::1/128"), ip_network("2001:db8::/32"))
BOTH = {
    "IPv6 only": ("::1", ["::1"]),
    "IPv6 refuses": ("127.0.0.1", ["::1", "127.0.0.1"]),
    "IPv6 unreachable": ("127.0.0.1", ["2001:db8::1", "127.0.0.1"]),
    "IPv4 refuses": ("::1", ["127.0.0.1", "::1"]),
}


@fault(
    "W11",
    "A host with only one working address family",
    produced=f"{', '.join(BOTH)} (with a fake resolver)",
    must="the other family is tried, and the feed is fetched",
    promises="P1",
    cases=list(BOTH),
)
def test_one_working_address_family(case):
    listening, addresses = BOTH[case]
    with origin(listening) as publisher:
        publisher["/feed"] = GOOD
        url = publisher.url("/feed", "both.test")
        assert isinstance(fetch(url, resolver=Names(addresses), allow_private=LOCAL), Fetched)


@fault(
    "W12",
    "No route to a host",
    produced="a name with only an IPv6 address, on a machine without IPv6 (with a fake resolver)",
    must="one line, about this source only",
    promises="P1 P2",
)
def test_no_route_to_host():
    outcome = fetch("http://six.test/", resolver=Names(["2001:db8::1"]), allow_private=LOCAL)
    assert reason(outcome).startswith("cannot connect: ")
    assert outcome.unreached


REBINDING = {
    "between two polls": (["127.0.0.1"], ["127.0.0.200"]),
    "together with an allowed one": (["127.0.0.200", "127.0.0.1"],),
    "from the start": (["127.0.0.200"],),
}


@fault(
    "W13",
    "DNS rebinding to a private address",
    produced=f"{', '.join(REBINDING)} (with a fake resolver)",
    must="the connection uses the address that was checked, and never a private one",
    promises="P8",
    cases=list(REBINDING),
)
def test_dns_rebinding(case):
    with origin("0.0.0.0") as publisher:
        publisher["/feed"] = GOOD
        url = publisher.url("/feed", "rebind.test")
        resolver = Names(*REBINDING[case])
        outcomes = [fetch(url, resolver=resolver, allow_private=LOCAL) for _ in range(2)]
        for outcome in outcomes:
            assert isinstance(outcome, Fetched) or "127.0.0.200 is a private" in outcome.reason
        assert isinstance(outcomes[0], Fetched) == (case != "from the start")
        assert isinstance(outcomes[1], Fetched) == (case == "together with an allowed one")
        assert "127.0.0.200" not in {request.host for request in publisher.all_requests}


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@fault(
    "W14",
    "A proxy in the environment",
    produced="`http_proxy` and similar variables, with a proxy that is down or up",
    must="the variables are ignored; the proxy gets no request",
    promises="P1 P8 P10",
    cases=["down", "up"],
)
def test_proxy_in_environment(used_world, baseline, case):
    port = 1 if case == "down" else used_world.origin.port
    proxies = dict.fromkeys(PROXIES, f"http://127.0.0.99:{port}")
    assert (
        used_world.call("-v", "run", "--all", env=os.environ | proxies | {"no_proxy": ""})[0] == ""
    )
    used_world.check_outputs(baseline.after)
    assert "127.0.0.99" not in {request.host for request in used_world.origin.all_requests}


PORTALS = {"instead of each feed": None, "by 302": 302, "by 301": 301, "by status 511": 511}


@fault(
    "W15",
    "A captive portal",
    produced=f"a login page from all hosts, in two runs: {', '.join(PORTALS)}",
    must="exit code 4; each source has one line; no output changes; when the network is back, one run gives the "
    "outputs of an undisturbed run",
    promises="P2 P3 P5 P9 P10",
    cases=list(PORTALS),
)
def test_captive_portal(used_world, baseline, case):
    status = PORTALS[case]
    used_world.origin["/sign-in"] = PORTAL
    portal = redirect(used_world.origin.url("/sign-in", "127.0.0.99"), status or 200)
    feeds = {name: data for name, data in used_world.files().items() if name.endswith(".atom")}
    for path in map(str, range(4)):
        used_world.origin[f"/{path}"] = portal if status else PORTAL
    for clock in ("2026-11-24T13:00", "2026-11-24T14:00"):
        _, err = used_world.call("-v", "run", "--all", clock=clock, code=4)
        for name in (f"Source {number}" for number in range(4)):
            (line,) = lines_by_source(err)[name]
            assert "Sign in to Hotel Wifi" in line or "HTTP 511" in line
        assert feeds == {n: d for n, d in used_world.files().items() if n in feeds}
    used_world.check_valid()
    used_world.publish(SECOND)
    used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)


@fault(
    "W16",
    "A captive portal for a week",
    produced="the same with status 301, once a day",
    must="no subscription is considered moved; all are polled at their own URLs when the network is back",
    promises="P3",
)
def test_captive_portal_for_a_week(used_world):
    used_world.origin["/sign-in"] = PORTAL
    for number in range(4):  # of several hosts, so that no request waits for another
        sign_in = used_world.origin.url("/sign-in", f"127.0.0.{96 + number}")
        used_world.origin[f"/{number}"] = redirect(sign_in, 301)
    for day in range(25, 31):
        used_world.call("run", "--all", clock=f"2026-11-{day}T12:00", code=4)
    used_world.publish(SECOND)
    used_world.origin.all_requests.clear()
    assert "4 fetched" in used_world.call("-v", "run", "--all", clock="2026-12-01T12:00")[1]
    assert {request.path for request in used_world.origin.all_requests} == {
        f"/{n}" for n in range(4)
    }
    titles = used_world.titles()
    assert all(f"Undated {number}" in titles[f"Source {number}"] for number in range(4))


@fault(
    "W17",
    "Many answers of 503 and 429",
    produced="all sources but one answer 503 or 429 with Retry-After, in seconds or as a date",
    must="they are not polled before that time, however often the program runs; then all are parsed",
    promises="P1 P3 P7",
    cases=["503, seconds", "429, seconds", "503, a date", "429, a date"],
)
def test_retry_after(used_world, case):
    after = "7200" if "seconds" in case else formatdate(time.time() + 7200, usegmt=True)
    for number in range(3):
        used_world.origin[f"/{number}"] = Answer(
            status=int(case[:3]), headers={"Retry-After": after}
        )
    used_world.call("run", "--all", clock="2026-11-24T13:00")
    before = len(used_world.origin.all_requests)
    for clock in ("2026-11-24T13:15", "2026-11-24T14:59"):
        used_world.call("run", "--all", clock=clock)
    assert {request.path for request in used_world.origin.all_requests[before:]} == {"/3"}
    used_world.publish(SECOND)
    used_world.call("run", "--all")
    titles = used_world.titles()
    assert all(f"Undated {number}" in titles[f"Source {number}"] for number in range(4))


@fault(
    "W18",
    "Invalid 304 answers",
    produced="a 304 with a body; a 304 to a request without validators",
    must="the body is not read; one request; one line without validators, none with them; nothing is lost",
    promises="P2 P3",
    cases=["with a body", "without validators"],
)
def test_invalid_304(used_world, case):
    if case == "without validators":
        used_world.prepare()
        used_world.origin["/new"] = Answer(status=304)
        text = (used_world.root / "feeds.toml").read_text("utf-8")
        url = used_world.origin.url("/new", "127.0.0.77")
        used_world.write("feeds.toml", text + subscription_toml("New", url))
        _, err = used_world.call("-v", "run", "--all")
        assert "nothing is stored" in lines_by_source(err)["New"][0]
        return
    document = used_world.origin.answers["/0"]
    used_world.origin["/0"] = Answer(
        raw=b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"
    )
    before = used_world.titles()
    assert "Source 0" not in used_world.call("-v", "run", "--all", clock="2026-11-24T13:00")[1]
    assert len(used_world.origin.requests("/0")) == 1
    assert used_world.titles()["Source 0"] == before["Source 0"]
    used_world.origin["/0"] = document
    used_world.call("run", "--all")
    assert set(before["Source 0"]) < set(used_world.titles()["Source 0"])


CONNECT_ERRORS = {
    "ENETUNREACH": "Network is unreachable",
    "EHOSTUNREACH": "No route to host",
    "EADDRNOTAVAIL": "Cannot assign requested address",
    "EPERM": "Operation not permitted",
    "ECONNREFUSED": "connection refused",
}


@fault(
    "W19",
    "No network",
    produced=f"no connection is possible (strace: connect fails with {', '.join(CONNECT_ERRORS)}), in three runs",
    must="exit code 4; each source has one line; no output and no poll time changes; when the network is back, one "
    "run gives the outputs of an undisturbed run",
    promises="P2 P3 P5 P9 P10",
    cases=list(CONNECT_ERRORS),
)
def test_no_network(used_world, baseline, case):
    without_network = strace("connect", f"error={case}")
    feeds = {name: data for name, data in used_world.files().items() if name.endswith(".atom")}
    schedule = used_world.rows("SELECT url, next_poll_at, failures FROM feed ORDER BY url")
    for clock in ("2026-11-24T13:00", "2026-11-24T13:30", "2026-11-24T14:00"):
        _, err = used_world.call("-v", "run", "--all", clock=clock, code=4, before=without_network)
        for name in (f"Source {number}" for number in range(4)):
            (line,) = lines_by_source(err)[name]
            assert re.search(f'": (cannot connect: .*)?{CONNECT_ERRORS[case]}', line), line
        assert feeds == {n: d for n, d in used_world.files().items() if n in feeds}
        assert schedule == used_world.rows(
            "SELECT url, next_poll_at, failures FROM feed ORDER BY url"
        )
    used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)


VALIDATORS = {
    "control characters": 'ETag: "a\x01b"\r\nLast-Modified: \x7f',
    "bytes that are not ASCII": 'ETag: "\xe9"\r\nLast-Modified: d\xe9cembre',
    "no value": "ETag: \r\nLast-Modified: ",
    "the value *": "ETag: *",
    "a future date": "Last-Modified: Fri, 01 Jan 2041 00:00:00 GMT",
    "8 KB": f'ETag: "{"x" * 8000}"',
    "no quotation marks": "ETag: abc\r\nLast-Modified: yesterday",
}


@fault(
    "W20",
    "Validators that cannot be sent or always match",
    produced=f"an ETag or a Last-Modified with {', '.join(VALIDATORS)}; the publisher answers 304 to "
    "`If-None-Match: *` and to a future date",
    must="the feed is requested again, and its new entries are stored",
    promises="P1 P3",
    cases=list(VALIDATORS),
)
def test_validators_that_cannot_be_sent(used_world, case):
    def answer() -> Iterator[bytes]:
        sent = used_world.origin.requests("/0")[-1].headers
        if sent["If-None-Match"] == "*" or "2041" in (sent["If-Modified-Since"] or ""):
            yield b"HTTP/1.1 304 Not Modified\r\n\r\n"
        else:
            yield OK + VALIDATORS[case].encode("latin-1") + b"\r\n\r\n" + editions[0]

    editions = [edition("Source 0", second=False)]
    used_world.origin["/0"] = Answer(raw=answer)
    assert used_world.call("-v", "run", "--all", clock="2026-11-24T13:00")[1].count("Source 0") == 0
    editions[0] = edition("Source 0", second=True)
    used_world.origin.all_requests.clear()
    used_world.call("run", "--all")
    assert len(used_world.origin.requests("/0")) == 1
    assert "The commons: Source 0, 1" in used_world.titles()["Source 0"]
