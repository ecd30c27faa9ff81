"""Other aggregators for comparison, if they are installed. None of them matches or publishes.

reader and rss2email are Python programs with feedparser; newsboat is C++ with SQLite; sfeed is C
with curl and files. Each is configured as its manual recommends, also in its number of jobs.
"""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_JOBS = 8

_ADD = """
from reader import make_reader
reader = make_reader("db.sqlite")
for url in open("urls"):
    reader.add_feed(url.strip())
"""


# The command-line program would wait an hour before it polls a feed again.
_UPDATE = """
from reader import make_reader
make_reader("db.sqlite").update_feeds(scheduled=False, workers=4)
"""


# The minimum of our own program: it imports the same HTTP and database packages, and requests each
# feed as we do. Nothing is parsed, stored, matched or published.
_REQUESTS = """
import asyncio, ipaddress, json, pathlib
import sqlmodel
from aggregator.fetch.client import Client

loopback = (ipaddress.ip_network("127.0.0.0/8"),)
etags_file = pathlib.Path("etags")
etags = json.loads(etags_file.read_text())

async def main():
    slots = asyncio.Semaphore(16)
    async def request(url):
        async with slots:
            answer = await client.request(url, {"If-None-Match": etags[url]}, loopback, seconds=30)
        etags[url] = answer.headers["ETag"]
    async with Client() as client:
        await asyncio.gather(*map(request, etags))

asyncio.run(main())
etags_file.write_text(json.dumps(etags))
"""


@dataclass(frozen=True)
class Program:
    """A program with its files; ``prepare`` adds the feeds once, ``command`` polls all."""

    name: str
    command: Sequence[str]
    files: Mapping[str, str]
    prepare: Sequence[str] = ()


def programs(urls: Sequence[str], clippings: str) -> list[Program]:
    """Our program, its bare requests, and the installed peers."""
    candidates = (_ours(urls, clippings), _requests(urls), *(peer(urls) for peer in _PEERS))
    return list(filter(None, candidates))


def _ours(urls: Sequence[str], clippings: str) -> Program:
    subscriptions = "".join(
        f'[[subscriptions]]\nurl = "{url}"\nallow_private = "127.0.0.0/8"\n' for url in urls
    )
    files = {
        "clippings.txt": clippings,
        "feeds.toml": f'[clippings]\nfiles = "clippings.txt"\n{subscriptions}',
    }
    return Program("aggregator", (sys.executable, "-m", "aggregator", "run", "--all"), files)


def _requests(urls: Sequence[str]) -> Program:
    etags = json.dumps(dict.fromkeys(urls, '"none"'))
    return Program("bare requests", (sys.executable, "-c", _REQUESTS), {"etags": etags})


def _reader(urls: Sequence[str]) -> Program | None:
    if find_spec("reader") is None:
        return None
    python, files = (sys.executable, "-c"), {"urls": "\n".join(urls)}
    return Program("reader", (*python, _UPDATE), files, (*python, _ADD))


def _rss2email(urls: Sequence[str]) -> Program | None:
    command = shutil.which("r2e")
    if command is None:
        return None
    names = [f"feed{number}" for number in range(len(urls))]
    config = "[DEFAULT]\nfrom = a@b.example\nto = a@b.example\n" + "".join(
        f"[feed.{name}]\nurl = {url}\n" for name, url in zip(names, urls, strict=True)
    )
    feeds: list[dict[str, object]] = [
        {"name": name, "etag": None, "modified": None, "seen": {}} for name in names
    ]
    files = {"c.cfg": config, "d.json": json.dumps({"version": 2, "feeds": feeds})}
    return Program("rss2email", (command, "-c", "c.cfg", "-d", "d.json", "run", "--no-send"), files)


def _newsboat(urls: Sequence[str]) -> Program | None:
    command = shutil.which("newsboat")
    if command is None:
        return None
    files = {"urls": "\n".join(urls), "config": f"reload-threads {_JOBS}\n"}
    options = ("-u", "urls", "-c", "cache.db", "-C", "config", "-x", "reload")
    return Program("newsboat", (command, *options), files)


def _sfeed(urls: Sequence[str]) -> Program | None:
    command = shutil.which("sfeed_update")
    if command is None or shutil.which("curl") is None:
        return None
    feeds = "".join(f'  feed "f{number}" "{url}"\n' for number, url in enumerate(urls))
    # Its manual's recipe for ETags.
    fetch = (
        'fetch() {\n  etag="etags/$1"\n'
        '  curl -L --max-redirs 0 -H "User-Agent:" -f -s -m 15 '
        '--etag-save "$etag" --etag-compare "$etag" "$2"\n}\n'
    )
    rc = f'sfeedpath="feeds"\nmaxjobs={_JOBS}\n{fetch}feeds() {{\n{feeds}}}\n'
    return Program("sfeed", (command, "./sfeedrc"), {"sfeedrc": rc, "etags/.keep": ""})


_PEERS = (_reader, _rss2email, _newsboat, _sfeed)


def set_up(program: Program, folder: Path) -> None:
    """Write the files of a program."""
    for name, text in program.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
