"""What publishers and networks do to those who ask.

Most of it happens to one installation at once (`storm`): every source is well in a first run, and
in a second one a good part of them plays a fault each. So what is proved of one fault is proved
beside all others.
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


def pieces(head: bytes = b"", each: bytes = b"x", every: float = 0.0) -> Answer:
    """``head``, and then ``each`` without end."""

    def made() -> Iterator[bytes]:
        yield head
        while True:
            time.sleep(every)
            yield each

    return Answer(raw=made)


def packed(body: bytes, coding: str) -> Answer:
    return Answer(body, headers={"Content-Encoding": coding})


def to(location: str, status: int = 302) -> Answer:
    # In UTF-8, as browsers read it, though http.server would have it in Latin-1.
    return Answer(status=status, headers={"Location": location.encode().decode("latin-1")})


NOTHING = bytes(200_000_000)
# name: (what the publisher answers, what is said of it)
CUT = {
    "reset before an answer": (Answer(raw=b"", reset=True), "the connection was reset"),
    "reset in the body": (
        Answer(raw=OK + b"Content-Length: 9999\r\n\r\n" + GOOD, reset=True),
        "cut short",
    ),
    "closed without an answer": (Answer(raw=b""), "closed without an answer"),
    "shorter than its length": (
        Answer(raw=OK + b"Content-Length: 9999\r\n\r\n" + GOOD),
        "cut short",
    ),
    "chunks without their end": (
        Answer(raw=OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(GOOD) + GOOD),
        "cut short",
    ),
    "gzip without its end": (packed(gzip.compress(GOOD)[:-9], "gzip"), "cut short"),
    "brotli without its end": (packed(brotli.compress(GOOD)[:-3], "br"), "cut short"),
}
SLOW = {
    "no answer at all": (Answer(wait=lambda: time.sleep(45)), "no answer in time"),
    "a byte a second": (pieces(OK + b"\r\n", b"<", 1), "longer than 30 s"),
    "a header a second": (pieces(OK, b"X-Slow: y\r\n", 1), "longer than 30 s"),
}
LARGE = {
    "a body without end": (pieces(OK + b"\r\n", b"x" * 65536), "larger than 10 MiB"),
    "99 GB, says its length": (
        Answer(raw=OK + b"Content-Length: 99000000000\r\n\r\n"),
        "larger than 10 MiB",
    ),
    "gzip of 200 MB": (packed(gzip.compress(NOTHING), "gzip"), "larger than 10 MiB"),
    "brotli of 200 MB": (packed(brotli.compress(NOTHING, quality=5), "br"), "larger than 10 MiB"),
    "zstandard of 200 MB": (packed(zstandard.compress(NOTHING), "zstd"), "larger than 10 MiB"),
    "gzip in gzip": (
        packed(gzip.compress(gzip.compress(NOTHING)), "gzip, gzip"),
        "larger than 10 MiB",
    ),
    "gzip in gzip, a hundred times": (
        packed(GOOD, ", ".join(["gzip"] * 100)),
        "more than 3 encodings",
    ),
    "a header of 5 MB": (Answer(raw=OK + b"X: " + b"x" * 5_000_000 + b"\r\n\r\n"), "HTTP"),
    "headers without end": (pieces(OK, b"X-Endless: y\r\n" * 100), "HTTP"),
}
GARBLED = {
    "another protocol": (Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n"), "not an HTTP answer"),
    "noise": (Answer(raw=bytes(range(256)) * 4), "not an HTTP answer"),
    "a length that is no number": (Answer(raw=OK + b"Content-Length: 1x\r\n\r\n"), "HTTP"),
    "two lengths": (
        Answer(raw=OK + b"Content-Length: 9\r\nContent-Length: 5\r\n\r\n<rss/>"),
        "HTTP",
    ),
    "a chunk that is none": (
        Answer(raw=OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n<rss"),
        "not an HTTP answer",
    ),
    "says gzip, is not": (packed(GOOD, "gzip"), "compression (gzip) is broken"),
    "says brotli, is gzip": (packed(gzip.compress(GOOD), "br"), "compression (br) is broken"),
    "gzip with a wrong sum": (
        packed(gzip.compress(GOOD)[:-8] + bytes(8), "gzip"),
        "compression (gzip) is broken",
    ),
    "a coding nobody knows": (packed(GOOD, "snappy"), 'unsupported encoding "snappy"'),
}
STATUS = {
    "204": (Answer(status=204), "empty"),
    "206": (Answer(GOOD, status=206), "HTTP 206 Partial Content (a part of a document"),
    "300": (Answer(GOOD, status=300), "HTTP 300 Multiple Choices (several addresses"),
    "401": (Answer(GOOD, status=401), "needs a password"),
    "404": (Answer(GOOD, status=404), "HTTP 404"),
    "410": (Answer(GOOD, status=410), "remove it"),
    "500": (Answer(GOOD, status=500), "HTTP 500"),
    "999": (Answer(GOOD, status=999), "HTTP 999"),
    "an empty answer": (Answer(b" \n"), "empty"),
    "a page to sign in": (PORTAL, 'an HTML page called "Sign in to Hotel Wifi"'),
    "such a page as RSS": (
        Answer(PORTAL.body, headers={"Content-Type": "application/rss+xml"}),
        'an HTML page called "Sign in to Hotel Wifi"',
    ),
}
REDIRECTS = {
    "to itself": (to("/to%20itself"), "too many redirects (5)"),
    "ever further": (to("/further/1"), "too many redirects (5), the last to"),
    "nowhere": (Answer(status=302), "redirects to no web address"),
    "to a broken address": (to("http://[bad"), "redirects to no web address"),
    "to a port that is none": (to("http://127.0.0.1:99999/"), "redirects to no web address"),
    "to a file": (to("file:///etc/passwd"), "redirects to no web address"),
    "to gopher": (to("gopher://127.0.0.1/"), "redirects to no web address"),
    "to data": (to("data:application/rss+xml,<rss/>"), "redirects to no web address"),
    "a very long one": (to("/" + "x" * 5000), "4096"),
}
# Where a redirect must not lead: the source is allowed its own address, and no other.
INSIDE = "127.0.0.200"
PRIVATE = {
    "as it is": INSIDE,
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


REFUSED = ("set allow_private = [", "not a valid address", "name not found")


@dataclass
class Storm:
    """An installation to which everything happens at once, and what it said."""

    world: World
    said: str = ""
    lines: dict[str, list[str]] = field(default_factory=dict)
    memory: int = 0
    stored: dict[str, list[str]] = field(default_factory=dict)
    recovered: str = ""


FAULTS = {**CUT, **SLOW, **LARGE, **GARBLED, **STATUS, **REDIRECTS}
UNREACHED = {
    "connection refused": ("http://127.0.0.1:1/", "connection refused"),
    "a name nobody knows": ("http://host.invalid/", "name not found"),
    "no TLS there": (
        "https://127.0.3.200:{port}/well",
        "TLS: the server does not use it there: does the address begin with http://?",
    ),
}
TLS = {"expired": "expired", "self-signed": "self-signed", "of another name": "not valid for"}
GOOD_ONES = [f"Good {number}" for number in range(30)]


def certificates(authority: trustme.CA, host: str) -> dict[str, trustme.LeafCert]:
    return {
        "expired": authority.issue_cert(host, not_after=datetime(2020, 1, 1, tzinfo=UTC)),
        "self-signed": trustme.CA().issue_cert(host),
        "of another name": authority.issue_cert("other.test"),
    }


def edition(name: str, *, second: bool) -> bytes:
    """What a source serves when it is well."""
    slug = name.replace(" ", "-").replace(",", "")
    items = [
        item(f"The commons: {name}, {n}", f"https://{slug}.example/{n}") for n in range(1 + second)
    ]
    return rss(*items, title=name).encode()


def subscribed(name: str, url: str, more: str = LOOPBACK) -> str:
    return f'[[subscriptions]]\ntitle = "{name}"\nurl = "{url}"\n{more}'


def path_of(name: str) -> str:
    return "/" + name.replace(" ", "%20")


def lines_of(said: str) -> dict[str, list[str]]:
    """What was said, by the name it begins with."""
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        name = line.partition('"')[2].partition('":')[0]
        found.setdefault(name, []).append(line)
    return found


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory, publishers: Origin) -> Iterator[Storm]:
    """A run in which all are well, one in which each plays its fault, one in which all are well."""
    world = World(tmp_path_factory.mktemp("storm"), publishers)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(world.root / "ca.pem")
    env = os.environ | {"SSL_CERT_FILE": str(world.root / "ca.pem")}
    publishers.answers.clear()
    publishers.asked.clear()
    text = ""
    with ExitStack() as stack:
        for number, name in enumerate([*FAULTS, *GOOD_ONES]):
            text += subscribed(name, publishers.url(path_of(name), f"127.0.3.{number + 1}"))
        for name, (url, _) in UNREACHED.items():
            text += subscribed(name, url.format(port=publishers.port))
        for name, certificate in certificates(authority, "127.0.4.1").items():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            secure = stack.enter_context(origin("127.0.4.1", tls=context))
            secure["/feed"] = edition(name, second=True)
            text += subscribed(name, secure.url("/feed", "127.0.4.1"))
        for number, (notation, host) in enumerate(PRIVATE.items()):
            inside = f"http://{host}:{publishers.port}/inside?{number}"
            text += subscribed(f"Private, {notation}", inside, "")
            own = f"127.0.5.{number + 1}"
            publishers[f"/inwards/{number}"] = to(inside)
            text += subscribed(
                f"Inwards, {notation}",
                publishers.url(f"/inwards/{number}", own),
                f'allow_private = "{own}/32"\n',
            )
            publishers[f"/inside?{number}"] = edition("Inside", second=True)
        publishers["/further/5"] = publishers["/well"] = edition("Further", second=True)
        for number in range(1, 9):
            publishers[f"/further/{number}"] = to(f"/further/{number + 1}")
        world.prepare()
        head = (world.root / "feeds.toml").read_text("utf-8").partition("[[subscriptions]]")[0]
        world.write("feeds.toml", head + text)

        def serve(*, second: bool) -> None:
            for name in [*FAULTS, *GOOD_ONES]:
                publishers[path_of(name)] = edition(name, second=second)

        serve(second=False)
        world.call("run", "--all", clock=FIRST, env=env)
        told = Storm(world)
        serve(second=True)
        for name, (answer, _) in FAULTS.items():
            publishers[path_of(name)] = answer
        process = world.start("-v", "run", "--all", clock=SECOND, env=env)
        out, told.said, told.memory = communicate_and_measure(process)
        assert process.returncode == 0, told.said
        assert out == ""
        told.lines = lines_of(told.said)
        told.stored = world.titles()
        serve(second=True)
        _, told.recovered = world.call("-v", "run", "--all", clock=THIRD, env=env)
        yield told


def check_told(storm: Storm, name: str, words: str) -> None:
    """One line with the name and the reason; what was stored stays, and a well feed is read again."""
    lines = storm.lines.get(name, [])
    assert len(lines) == 1, lines
    assert lines[0].startswith(f'"{name}": ')
    assert words in lines[0]
    assert len(lines[0]) < 400
    if name in FAULTS:
        assert storm.stored[name] == [f"The commons: {name}, 0"]
        assert storm.world.titles()[name] == [f"The commons: {name}, {n}" for n in (0, 1)]
        assert f'"{name}":' not in storm.recovered


KEPT = "one line with the name and the reason; nothing of the part is stored, what was stored stays, and the "
"next answer that is whole is read"


@fault(
    "W01",
    "Every other source fails",
    produced=f"{len(GOOD_ONES)} sources that are well beside all those of W02 to W10, in one feeds.toml and one "
    "run",
    must="0; all that are well are updated in this run; each other has one line; no traceback; outputs are "
    "valid; never more than 300 MB are held; a day later all are read again",
    promises="P1 P2 P5 P7",
)
def test_all_at_once(storm):
    assert "Traceback" not in storm.said
    for name in GOOD_ONES:
        assert storm.stored[name] == [f"The commons: {name}, {n}" for n in (0, 1)]
        assert name not in storm.lines
    bad = [*FAULTS, *UNREACHED, *TLS]
    bad += [f"{kind}, {notation}" for kind in ("Private", "Inwards") for notation in PRIVATE]
    assert {
        name: len(lines) for name, lines in storm.lines.items() if name in bad
    } == dict.fromkeys(bad, 1)
    assert storm.memory < 300_000_000
    storm.world.check_valid()


@fault(
    "W02",
    "No connection",
    produced=", ".join(UNREACHED),
    must="one line with the name and the reason",
    promises="P1 P2",
    cases=list(UNREACHED),
)
def test_no_connection(storm, case):
    check_told(storm, case, UNREACHED[case][1])


@fault(
    "W03",
    "An answer that is cut",
    produced=", ".join(CUT),
    must=KEPT,
    promises="P1 P2 P3",
    cases=list(CUT),
)
def test_an_answer_that_is_cut(storm, case):
    check_told(storm, case, CUT[case][1])


@fault(
    "W04",
    "An answer that comes slowly",
    produced=", ".join(SLOW),
    must="it is given up after 15 s of silence and 30 s in all, and nobody waits for it; " + KEPT,
    promises="P1 P2 P3 P7",
    cases=list(SLOW),
)
def test_an_answer_that_comes_slowly(storm, case):
    check_told(storm, case, SLOW[case][1])


@fault(
    "W05",
    "An answer that is too large",
    produced=", ".join(LARGE),
    must="it is given up at 10 MiB, as they come or unpacked; " + KEPT,
    promises="P1 P2 P3 P7",
    cases=list(LARGE),
)
def test_an_answer_that_is_too_large(storm, case):
    check_told(storm, case, LARGE[case][1])


@fault(
    "W06",
    "An answer that is garbled",
    produced=", ".join(GARBLED),
    must=KEPT,
    promises="P1 P2 P3",
    cases=list(GARBLED),
)
def test_an_answer_that_is_garbled(storm, case):
    check_told(storm, case, GARBLED[case][1])


@fault(
    "W07",
    "An answer that is no feed",
    produced=f"status {', '.join(STATUS)}",
    must="what it means, and what to do; what was stored stays, and the next feed is read",
    promises="P1 P2 P3",
    cases=list(STATUS),
)
def test_an_answer_that_is_no_feed(storm, case):
    check_told(storm, case, STATUS[case][1])


@fault(
    "W08",
    "A redirect that leads nowhere",
    produced=", ".join(REDIRECTS),
    must="no more than 5 are followed, and to web addresses only; one line; what was stored stays",
    promises="P1 P2 P3 P7 P12",
    cases=list(REDIRECTS),
)
def test_a_redirect_that_leads_nowhere(storm, case):
    check_told(storm, case, REDIRECTS[case][1])


@fault(
    "W09",
    "A certificate that is wrong",
    produced=", ".join(TLS),
    must="one line that says which; no request is sent, not without TLS either",
    promises="P1 P2 P11",
    cases=list(TLS),
)
def test_a_certificate_that_is_wrong(storm, case):
    check_told(storm, case, "TLS: ")
    check_told(storm, case, TLS[case])
    assert case not in storm.stored


@fault(
    "W10",
    "A private address",
    produced=f"a source, and a redirect of a source that is allowed its own address only, to 127.0.0.200: "
    f"{', '.join(PRIVATE)}",
    must="one line; never connected to",
    promises="P1 P2 P8",
    cases=list(PRIVATE),
)
def test_a_private_address(storm, case):
    for kind in ("Private", "Inwards"):
        check_told(storm, f"{kind}, {case}", "")
        (line,) = storm.lines[f"{kind}, {case}"]
        assert any(words in line for words in REFUSED), line
    assert not [asked for asked in storm.world.origin.asked if "inside" in asked.path]


LOCAL = (ip_network("127.0.0.1/32"), ip_network("::1/128"), ip_network("2001:db8::/32"))
BOTH = {
    "IPv6 only": ("::1", ["::1"]),
    "IPv6 that refuses": ("127.0.0.1", ["::1", "127.0.0.1"]),
    "IPv6 that leads nowhere": ("127.0.0.1", ["2001:db8::1", "127.0.0.1"]),
    "IPv4 that refuses": ("::1", ["127.0.0.1", "::1"]),
}


@fault(
    "W11",
    "A host of which only one kind of address works",
    produced=f"{', '.join(BOTH)} (a resolver of our own)",
    must="the other kind is tried, and the feed is read",
    promises="P1",
    cases=list(BOTH),
)
def test_one_kind_of_address(case):
    listening, addresses = BOTH[case]
    with origin(listening) as publisher:
        publisher["/feed"] = GOOD
        url = publisher.url("/feed", "both.test")
        assert isinstance(fetch(url, resolver=Names(addresses), allow_private=LOCAL), Fetched)


@fault(
    "W12",
    "No way to a host",
    produced="a name with an IPv6 address only, where there is no IPv6 (a resolver of our own)",
    must="one line, and no trouble but this source's",
    promises="P1 P2",
)
def test_no_way_to_a_host():
    said = fetch("http://six.test/", resolver=Names(["2001:db8::1"]), allow_private=LOCAL)
    assert reason(said).startswith("cannot connect: ")
    assert said.unreached


REBINDING = {
    "between two polls": (["127.0.0.1"], ["127.0.0.200"]),
    "beside a public one": (["127.0.0.200", "127.0.0.1"],),
    "at once": (["127.0.0.200"],),
}


@fault(
    "W13",
    "A name that comes to mean a private address",
    produced=f"{', '.join(REBINDING)} (a resolver of our own)",
    must="the address that was checked is the one connected to; the private one never is",
    promises="P8",
    cases=list(REBINDING),
)
def test_rebinding(case):
    with origin("0.0.0.0") as publisher:
        publisher["/feed"] = GOOD
        url = publisher.url("/feed", "rebind.test")
        resolver = Names(*REBINDING[case])
        outcomes = [fetch(url, resolver=resolver, allow_private=LOCAL) for _ in range(2)]
        for outcome in outcomes:
            assert isinstance(outcome, Fetched) or "127.0.0.200 is a private" in outcome.reason
        assert isinstance(outcomes[0], Fetched) == (case != "at once")
        assert isinstance(outcomes[1], Fetched) == (case == "beside a public one")
        assert "127.0.0.200" not in {asked.host for asked in publisher.asked}


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@fault(
    "W14",
    "A proxy in the environment",
    produced="`http_proxy` and its kin, of a proxy that is down, and of one that is not",
    must="they are not read: the same run as without; the proxy is asked nothing",
    promises="P1 P8 P10",
    cases=["down", "up"],
)
def test_a_proxy(world_after_run, baseline, case):
    port = 1 if case == "down" else world_after_run.origin.port
    proxies = dict.fromkeys(PROXIES, f"http://127.0.0.99:{port}")
    assert (
        world_after_run.call("-v", "run", "--all", env=os.environ | proxies | {"no_proxy": ""})[0]
        == ""
    )
    world_after_run.check_outputs(baseline.after)
    assert "127.0.0.99" not in {asked.host for asked in world_after_run.origin.asked}


PORTALS = {"instead of each feed": None, "by 302": 302, "by 301": 301, "by status 511": 511}


@fault(
    "W15",
    "A captive portal",
    produced=f"a page to sign in, for all hosts, in two runs: {', '.join(PORTALS)}",
    must="4; each source has one line; no feed is touched; when the network is back, one run makes what a run "
    "makes that nothing disturbed",
    promises="P2 P3 P5 P9 P10",
    cases=list(PORTALS),
)
def test_a_captive_portal(world_after_run, baseline, case):
    status = PORTALS[case]
    world_after_run.origin["/sign-in"] = PORTAL
    portal = to(world_after_run.origin.url("/sign-in", "127.0.0.99"), status or 200)
    feeds = {name: data for name, data in world_after_run.files().items() if name.endswith(".atom")}
    for path in map(str, range(4)):
        world_after_run.origin[f"/{path}"] = portal if status else PORTAL
    for clock in ("2026-11-24T13:00", "2026-11-24T14:00"):
        _, said = world_after_run.call("-v", "run", "--all", clock=clock, code=4)
        for name in (f"Source {number}" for number in range(4)):
            (line,) = lines_of(said)[name]
            assert "Sign in to Hotel Wifi" in line or "HTTP 511" in line
        assert feeds == {n: d for n, d in world_after_run.files().items() if n in feeds}
    world_after_run.check_valid()
    world_after_run.publish(SECOND)
    world_after_run.call("run", "--all")
    world_after_run.check_outputs(baseline.after)


@fault(
    "W16",
    "A captive portal for a week",
    produced="the same by 301, once a day",
    must="no source is taken to have moved; all are asked at their own addresses when the network is back",
    promises="P3",
)
def test_a_captive_portal_for_a_week(world_after_run):
    world_after_run.origin["/sign-in"] = PORTAL
    for path in map(str, range(4)):
        world_after_run.origin[f"/{path}"] = to(
            world_after_run.origin.url("/sign-in", "127.0.0.99"), 301
        )
    for day in range(25, 31):
        world_after_run.call("run", "--all", clock=f"2026-11-{day}T12:00", code=4)
    world_after_run.publish(SECOND)
    world_after_run.origin.asked.clear()
    assert "4 fetched" in world_after_run.call("-v", "run", "--all", clock="2026-12-01T12:00")[1]
    assert {asked.path for asked in world_after_run.origin.asked} == {f"/{n}" for n in range(4)}
    titles = world_after_run.titles()
    assert all(f"Undated {number}" in titles[f"Source {number}"] for number in range(4))


@fault(
    "W17",
    "A storm of 503 and 429",
    produced="all sources but one answer 503 or 429 with Retry-After, in seconds or as a date",
    must="they are not asked before that, however often we run; then all are read",
    promises="P1 P3 P7",
    cases=["503, seconds", "429, seconds", "503, a date", "429, a date"],
)
def test_a_storm(world_after_run, case):
    after = "7200" if "seconds" in case else formatdate(time.time() + 7200, usegmt=True)
    for number in range(3):
        world_after_run.origin[f"/{number}"] = Answer(
            status=int(case[:3]), headers={"Retry-After": after}
        )
    world_after_run.call("run", "--all", clock="2026-11-24T13:00")
    before = len(world_after_run.origin.asked)
    for clock in ("2026-11-24T13:15", "2026-11-24T14:59"):
        world_after_run.call("run", "--all", clock=clock)
    assert {asked.path for asked in world_after_run.origin.asked[before:]} == {"/3"}
    world_after_run.publish(SECOND)
    world_after_run.call("run", "--all")
    titles = world_after_run.titles()
    assert all(f"Undated {number}" in titles[f"Source {number}"] for number in range(4))


@fault(
    "W18",
    "304 where it cannot be",
    produced="a 304 with a body; a 304 of which nothing is known here",
    must="the body is no answer to another request: the whole is asked for, once; one line; nothing is lost",
    promises="P2 P3",
    cases=["with a body", "of nothing known"],
)
def test_304_where_it_cannot_be(world_after_run, case):
    if case == "of nothing known":
        world_after_run.prepare()
        world_after_run.origin["/new"] = Answer(status=304)
        text = (world_after_run.root / "feeds.toml").read_text("utf-8")
        url = world_after_run.origin.url("/new", "127.0.0.77")
        world_after_run.write("feeds.toml", text + subscribed("New", url))
        _, said = world_after_run.call("-v", "run", "--all")
        assert "nothing is stored" in lines_of(said)["New"][0]
        return
    body = world_after_run.origin.answers["/0"]
    answers = iter(
        [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", OK + b"\r\n" + body]
    )
    world_after_run.origin["/0"] = Answer(raw=lambda: [next(answers)])
    before = world_after_run.titles()
    world_after_run.call("run", "--all")
    assert len(world_after_run.origin.requests("/0")) == 2
    assert set(before["Source 0"]) < set(world_after_run.titles()["Source 0"])


GONE = {
    "ENETUNREACH": "Network is unreachable",
    "EHOSTUNREACH": "No route to host",
    "EADDRNOTAVAIL": "Cannot assign requested address",
}


@fault(
    "W19",
    "The network is gone",
    produced=f"no connection can be made (strace: connect ends with {', '.join(GONE)}), in three runs",
    must="4; each source has one line; no feed is touched, and nobody is asked later than else for it; when the "
    "network is back, one run makes what a run makes that nothing disturbed",
    promises="P2 P3 P5 P9 P10",
    cases=list(GONE),
)
def test_the_network_is_gone(world_after_run, baseline, case, tmp_path):
    away = strace("-o", str(tmp_path / "log"), "-e", f"inject=connect:error={case}")
    feeds = {name: data for name, data in world_after_run.files().items() if name.endswith(".atom")}
    planned = world_after_run.rows("SELECT url, next_poll_at, failures FROM feed ORDER BY url")
    for clock in ("2026-11-24T13:00", "2026-11-24T13:30", "2026-11-24T14:00"):
        _, said = world_after_run.call("-v", "run", "--all", clock=clock, code=4, before=away)
        for name in (f"Source {number}" for number in range(4)):
            (line,) = lines_of(said)[name]
            assert re.search(f"cannot connect: .*{GONE[case]}", line), line
        assert feeds == {n: d for n, d in world_after_run.files().items() if n in feeds}
        assert planned == world_after_run.rows(
            "SELECT url, next_poll_at, failures FROM feed ORDER BY url"
        )
    world_after_run.call("run", "--all")
    world_after_run.check_outputs(baseline.after)


VALIDATORS = {
    "control characters": 'ETag: "a\x01b"\r\nLast-Modified: \x7f',
    "bytes that are not ASCII": 'ETag: "\xe9"\r\nLast-Modified: d\xe9cembre',
    "nothing": "ETag: \r\nLast-Modified: ",
    "whatever there is": "ETag: *",
    "a day to come": "Last-Modified: Fri, 01 Jan 2041 00:00:00 GMT",
    "8 KB": f'ETag: "{"x" * 8000}"',
    "no quotation marks": "ETag: abc\r\nLast-Modified: yesterday",
}


@fault(
    "W20",
    "Validators that nobody can send, or that would always hold",
    produced=f"an ETag, a Last-Modified of {', '.join(VALIDATORS)}; of a publisher that answers 304 to "
    "`If-None-Match: *`, and to a time that is to come",
    must="the feed is asked for again, and what is new in it is read",
    promises="P1 P3",
    cases=list(VALIDATORS),
)
def test_validators_that_nobody_can_send(world_after_run, case):
    def made() -> Iterator[bytes]:
        sent = world_after_run.origin.requests("/0")[-1].headers
        if sent["If-None-Match"] == "*" or "2041" in (sent["If-Modified-Since"] or ""):
            yield b"HTTP/1.1 304 Not Modified\r\n\r\n"
        else:
            yield OK + VALIDATORS[case].encode("latin-1") + b"\r\n\r\n" + editions[0]

    editions = [edition("Source 0", second=False)]
    world_after_run.origin["/0"] = Answer(raw=made)
    assert (
        world_after_run.call("-v", "run", "--all", clock="2026-11-24T13:00")[1].count("Source 0")
        == 0
    )
    editions[0] = edition("Source 0", second=True)
    world_after_run.origin.asked.clear()
    world_after_run.call("run", "--all")
    assert len(world_after_run.origin.requests("/0")) == 1
    assert "The commons: Source 0, 1" in world_after_run.titles()["Source 0"]
