"""What curl and requests read, we read. They judge, with the same bytes over real sockets."""

import shutil
import subprocess

import pytest
import requests

from aggregator.model import Fetched
from tests.fetch.odd_answers import CLEAR, FEED, READABLE, UNREADABLE
from tests.fetch.test_poller import fetch, reason
from tests.origin import Answer

CURL = ["curl", "--silent", "--show-error", "--max-time", "10"]


def read_with_requests(url):
    try:
        return requests.get(url, timeout=10, allow_redirects=False).content
    except (requests.RequestException, ValueError):
        return b""


def read_with_curl(url, *options):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    process = subprocess.run([*CURL, *options, url], capture_output=True, check=False)
    return b"" if process.returncode else process.stdout


@pytest.mark.parametrize("name", READABLE)
def test_what_another_client_reads(publisher, name):
    publisher["/feed"] = Answer(raw=READABLE[name])
    url = publisher.url("/feed")
    readers = [read_with_requests, read_with_curl, lambda url: read_with_curl(url, "--compressed")]
    assert any(read(url) == FEED for read in readers)
    outcome = fetch(url)
    assert isinstance(outcome, Fetched), outcome
    assert outcome.body == FEED


@pytest.mark.parametrize("name", CLEAR)
def test_what_is_clear(publisher, name):
    publisher["/feed"] = Answer(raw=CLEAR[name])
    outcome = fetch(publisher.url("/feed"))
    assert isinstance(outcome, Fetched), outcome
    assert outcome.body == FEED


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_nobody_reads_is_explained(publisher, name):
    raw, words = UNREADABLE[name]
    publisher["/feed"] = Answer(raw=raw)
    url = publisher.url("/feed")
    assert FEED not in (read_with_requests(url), read_with_curl(url, "--compressed"))
    assert words in reason(fetch(url))
    assert len(publisher.requests("/feed")) == 3  # we ask once, as they do
