"""An installation in a folder, whose runs happen in this process at any simulated time."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from aggregator.fetch.poller import Fetcher
from aggregator.model import (
    Fetched,
    ParsedFeed,
    ParseFailed,
    RunReport,
    SeenDocument,
    Subscription,
)
from aggregator.parse.document import parse_document
from aggregator.parse.pool import ParsingPool
from aggregator.publish.folder import OutputFolder
from aggregator.run import pipeline
from aggregator.run.poll import NullProgress
from aggregator.run.project import open_project
from aggregator.run.timing import StageTimer
from aggregator.store import Store
from aggregator.text.urls import without_secrets
from tests import databases

LOOPBACK = 'allow_private = "127.0.0.0/8"\n'
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Installation:
    """``write`` and ``configure`` its files, ``run`` it, read ``outputs``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.outputs = root / "outputs"
        self.database = databases.new_state()

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def configure(self, urls: Iterable[str] = (), more: str = "", clippings: str = "") -> None:
        """Write feeds.toml with these subscriptions, and a clippings file if there is text for it."""
        files = '[clippings]\nfiles = "clippings.txt"\n' if clippings else ""
        site = '[site]\nurl = "https://site.example/"\n'
        subscriptions = "".join(f'[[subscriptions]]\nurl = "{url}"\n{LOOPBACK}' for url in urls)
        if self.database != databases.SQLITE:
            more += "" if "[store]\n" in more else "[store]\n"
            url = f'\\1url = "{self.database}"\n'
            more = re.sub(r"(\[store\]\n(?:[^\[\n].*\n)*)", url, more)
        self.write("feeds.toml", f"{site}{files}{subscriptions}{more}")
        if clippings:
            self.write("clippings.txt", clippings)

    def run(self, now: datetime = NOON, *, everything: bool = True) -> RunReport:
        project = open_project(self.root / "feeds.toml", {}, now)
        store = self.store()
        settings = project.config.publish
        writer = OutputFolder(project.root / settings.directory, settings.compress)

        @asynccontextmanager
        async def open_network() -> AsyncIterator[tuple[Fetcher, InThisProcess]]:
            async with Fetcher("aggregator/test", gap_seconds=0) as fetcher:
                yield fetcher, InThisProcess()

        async def run_pipeline() -> RunReport:
            return await pipeline.run(
                project.config,
                project.clippings,
                store,
                open_network,
                writer,
                NullProgress(),
                StageTimer(),
                now,
                include_not_due=everything,
            )

        try:
            return asyncio.run(run_pipeline())
        finally:
            store.close()

    def store(self) -> Store:
        return databases.open_store(self.database, self.root)

    def sql(self, *statements: str) -> Sequence[Any]:
        """Execute statements in one transaction; gives the rows of the last, if it has any."""
        return databases.execute(self.database, self.root, *statements)

    def stored(self) -> dict[str, list[Any]]:
        """The rows of all tables, by table."""
        return databases.dump(self.database, self.root)

    def snapshot(self) -> dict[str, tuple[bytes, int]]:
        """Bytes and modification time of every output."""
        return {
            path.relative_to(self.outputs).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in sorted(self.outputs.rglob("*"))
            if path.is_file()
        }


class InThisProcess(ParsingPool):
    """Parses without a child process: faster, and measured by coverage."""

    async def parse(
        self,
        fetched: Fetched,
        now: datetime,
        language: str | None,
        seen: SeenDocument | None = None,
    ) -> ParsedFeed | ParseFailed:
        return await asyncio.to_thread(parse_document, fetched, now, language, seen)


def rss(*items: str, title: str = "A feed", language: str = "en") -> str:
    """An RSS 2.0 document with these items."""
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>{title}</title>'
        f"<link>https://feed.example/</link><language>{language}</language>"
        f"{''.join(items)}</channel></rss>"
    )


def item(
    title: str = "A title",
    link: str = "https://feed.example/a",
    date: str = "Mon, 23 Nov 2026 10:00:00 GMT",
    body: str = "",
    more: str = "",
) -> str:
    """An RSS item; an empty argument omits the element."""
    parts = [("title", title), ("link", link), ("pubDate", date), ("description", body)]
    elements = "".join(f"<{name}>{text}</{name}>" for name, text in parts if text)
    return f"<item>{elements}{more}</item>"


def subscription(url: str, **settings: object) -> Subscription:
    """A subscription with its URL as title, which may be on loopback."""
    settings.setdefault("allow_private", (ip_network("127.0.0.0/8"),))
    return Subscription(url=url, key=without_secrets(url), title=url, **settings)  # type: ignore[arg-type]
