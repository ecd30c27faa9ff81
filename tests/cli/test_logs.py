"""Logs on stderr: levels, stage and subscription, and no secrets."""

import errno
import io
import logging
import os
import re
import sys

import pytest

from aggregator.cli.logs import show_logs
from tests.cli.test_commands import call
from tests.harness import Installation, item, rss

LINE = re.compile(
    r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|DEBUG) ([a-z]+): (?:"(.+?)": )?(.+)'
)


@pytest.fixture
def logged(capsys):
    """Log with DEBUG shown; returns what is printed."""
    logger = logging.getLogger("aggregator")
    before = logger.handlers, logger.level, logger.propagate

    def log(name, message, *arguments, **extra):
        logging.getLogger(name).debug(message, *arguments, extra=extra)
        return capsys.readouterr().err

    show_logs(2)
    yield log
    logger.handlers, level, logger.propagate = before
    logger.setLevel(level)


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("aggregator.fetch.poller", "fetch"),
        ("aggregator.run.poll", "poll"),
        ("aggregator.run", "run"),
    ],
)
def test_record_has_stage_and_subscription(logged, name, stage):
    match = LINE.fullmatch(logged(name, "%d entries", 3, subscription="A blog").rstrip("\n"))
    assert match
    assert match.groups() == ("DEBUG", stage, "A blog", "3 entries")
    assert logged(name, "done", stage="match").endswith(" DEBUG match: done\n")


def test_messages_that_cannot_be_written_are_dropped(logged, monkeypatch):
    """What a full disk did not take would fail again at each flush."""

    class Full(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    logged("aggregator.run", "done")
    with sys.stderr as stream:
        print("done", file=stream, flush=True)


def test_secrets_are_redacted(logged):
    line = logged(
        "aggregator.fetch.poller", "GET %s", "https://me:pw@a.example/?token=T1&page=2",
        subscription="https://me:pw@b.example/",
    )  # fmt: skip
    assert line.endswith('"https://…@b.example/": GET https://…@a.example/?token=…&page=2\n')


def test_secrets_in_tracebacks_are_redacted(logged):
    try:
        raise ValueError("https://a.example/?key=K1 failed")
    except ValueError:
        logging.getLogger("aggregator.run").debug("error", exc_info=True)
    text = logged("aggregator.run", "end")
    assert "ValueError: https://a.example/?key=… failed" in text
    assert 'ValueError("https://a.example/?key=…' in text


def test_control_characters_are_replaced(logged):
    assert logged("aggregator.run", "\x1b[31m%s", "\u202e").endswith("\ufffd[31m\ufffd\n")


@pytest.fixture
def project(tmp_path, publisher):
    """A subscription whose address has a token, and whose headers are secret."""
    publisher["/feed?token=TOKEN1"] = rss(item("Les communs"))
    installation = Installation(tmp_path)
    url = publisher.url("/feed?token=TOKEN1")
    installation.configure([url])
    text = (tmp_path / "feeds.toml").read_text()
    secrets = 'auth = "env:LOGIN"\nheaders = { X-Key = "env:KEY" }\n'
    position = text.index("\n", text.index(url)) + 1
    installation.write("feeds.toml", text[:position] + secrets + text[position:])
    return installation


def run(project, environment, *options):
    out, err = call(project.root, *options, "run", env=environment)
    assert out == ""
    assert not any(secret in err for secret in ("TOKEN1", "PASSWORD1", "KEY1"))
    return err, {match[2] for match in LINE.finditer(err) if match[1] == "DEBUG"}


def test_verbosity_selects_the_level(project):
    environment = os.environ | {"LOGIN": "me:PASSWORD1", "KEY": "KEY1"}
    err, debug_stages = run(project, environment, "-vv")
    assert {"fetch", "poll"} <= debug_stages
    assert "DEBUG poll: 1 of 1 subscriptions are due\n" in err
    assert re.search(
        r'DEBUG fetch: "http://.*/feed\?token=…": HTTP 200, \d+ bytes from http://.*=…\n', err
    )
    assert re.search(r'DEBUG poll: ".*": stored: 1 new, 0 modified', err)
    err, debug_stages = run(project, environment, "-v")
    assert debug_stages == set()
    assert re.search(r"INFO run: run of process \d+ on ", err)
    assert re.search(r"INFO publish: \d+\.\d{3} s, \d+ entries", err)
    assert run(project, environment)[0] == ""
    assert run(project, environment, "-q", "-vv")[0] == ""
