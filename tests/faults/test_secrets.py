"""Secrets that only the operator and the publisher may know."""

import os
import sys

from tests.faults.catalogue import fault
from tests.origin import Answer

CANARY = "c4n4ry"
SETTINGS = {
    "FEED_AUTH": f"user:{CANARY}auth",
    "FEED_BEARER": f"Bearer {CANARY}bearer",
    "FEED_COOKIE": f"session={CANARY}cookie",
}


def subscriptions(world):
    """Subscriptions with secrets in all places; many of the publishers fail."""
    world.origin["/moved"] = Answer(
        status=301,
        headers={"Location": f"http://u:{CANARY}@127.0.0.9:{world.origin.port}/0?token={CANARY}"},
    )
    world.origin["/tofile"] = Answer(
        status=302, headers={"Location": f"file:///etc/{CANARY}?key={CANARY}"}
    )
    world.origin["/long"] = Answer(status=302, headers={"Location": f"/{'x' * 5000}?key={CANARY}"})
    world.origin["/broken"] = Answer(status=500, headers={"Set-Cookie": f"sid={CANARY}"})
    world.origin["/html"] = Answer(b"<title>Sign in</title>", headers={"Content-Type": "text/html"})
    world.origin["/cut"] = Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<rss")
    world.origin["/noise"] = Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n")
    for path in list(world.origin.answers):
        world.origin.answers[f"{path}?token={CANARY}&n=1"] = world.origin.answers[path]
    port = world.origin.port
    for number, path in enumerate(
        ["/0", "/moved", "/tofile", "/long", "/broken", "/html", "/cut", "/noise", "/absent"]
    ):
        yield (
            f"http://user:{CANARY}{number}@127.0.0.{number + 20}:{port}{path}?token={CANARY}&n=1",
            "",
        )
    yield f"http://user:{CANARY}@127.0.0.40:1/?api_key={CANARY}", ""
    yield f"http://user:{CANARY}@host.invalid/?sig={CANARY}", ""
    yield f"http://user:{CANARY}@2130706433/?password={CANARY}", ""
    yield world.origin.url("/1", "127.0.0.42"), 'auth = "env:FEED_AUTH"\n'
    yield world.origin.url("/2", "127.0.0.43"), 'auth = "env:FEED_BEARER"\n'
    yield (
        world.origin.url("/3", "127.0.0.44"),
        f'headers = {{Cookie = "env:FEED_COOKIE", X-Api-Key = "{CANARY}key"}}\n',
    )


def prepare(world):
    world.prepare()
    text = (world.root / "feeds.toml").read_text("utf-8").partition("[[subscriptions]]")[0]
    for url, more in subscriptions(world):
        text += f'[[subscriptions]]\nurl = "{url}"\nallow_private = "127.0.0.0/8"\n{more}'
    world.write("feeds.toml", text)


COMMANDS = [
    "check",
    "-v run",
    "run --all --json --profile",
    "-v run --all --strict",
    "status",
    "status --json",
    "tags --json",
    "explain https://source1.example/a --json",
    "suggest sources --json",
    "retag --json",
    "prune --json",
    "-v export opml",
    f"preview http://u:{CANARY}@127.0.0.40:1/?token={CANARY} --allow-private 127.0.0.0/8",
    f"discover http://u:{CANARY}@127.0.0.40:1/?token={CANARY} --allow-private 127.0.0.0/8",
    "backup backup.sqlite3",
]


@fault(
    "S01",
    "Secrets in URLs, headers and cookies",
    produced="a canary in userinfo, query parameters, `auth`, `headers`, Set-Cookie and Location; publishers "
    "answer, redirect, fail or are missing; then each command runs",
    must="each secret is sent only to its publisher; the canary is in no message and no file: stdout, stderr, "
    "database, write-ahead log, backup, outputs, metrics",
    promises="P11",
)
def test_secrets(world):
    prepare(world)
    env = os.environ | SETTINGS
    for command in COMMANDS:
        out, err = world.call(*command.split(), env=env, code=None, clock=None)
        assert CANARY not in out.replace(f"u:{CANARY}@127.0.0.40", ""), command
        assert CANARY not in err, (command, err)
    secret = CANARY.encode()
    for path in world.root.rglob("*"):
        if path.is_file() and path.name != "feeds.toml":
            assert secret not in path.read_bytes(), path
    sent = {request.host: str(request.headers) for request in world.origin.all_requests}
    assert f"session={CANARY}cookie" in sent["127.0.0.44"]
    assert f"{CANARY}bearer" in sent["127.0.0.43"]
    assert "Basic" in sent["127.0.0.42"]
    assert "Authorization" not in sent.get("127.0.0.9", "")
    assert world.outputs.exists()


@fault(
    "S02",
    "An unexpected exception near secrets",
    produced="a RuntimeError while a feed with a secret in its URL is fetched",
    must="a traceback, because it is a bug, without any secret in it",
    promises="P11",
)
def test_unexpected_exception(world):
    prepare(world)
    bug = (
        "from aggregator.fetch.client import Client\n"
        "async def broken(self, url, *rest):\n    raise RuntimeError('a bug')\n"
        "Client.request = broken\n"
        "import sys\ndel sys.argv[1:4]\n"  # the command that it replaces: python -m aggregator
        "from aggregator.__main__ import main\nmain()"
    )
    with_bug = [sys.executable, "-c", bug]
    process = world.start("-v", "run", before=with_bug, env=os.environ | SETTINGS, clock=None)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "a bug" in err
    assert CANARY not in out + err
