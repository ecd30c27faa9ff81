"""Why httpx speaks through aiohttp: CPU of conditional requests, over its own transport and that.

Each transport makes 1,000 requests to 1,000 loopback hosts, 64 at once, all answered 304.
"""

import asyncio
import time
from statistics import median

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from benchmarks.server import address, serving

FEEDS = 1000
AT_ONCE = 64
ROUNDS = 3


async def _ask(client: httpx.AsyncClient, urls: list[str], etag: str) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(url: str) -> None:
        async with slots:
            answer = await client.get(url, headers={"If-None-Match": etag})
            assert answer.status_code == 304

    await asyncio.gather(*map(one, urls))


async def _own(urls: list[str], etag: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await _ask(client, urls, etag)


async def _aiohttp(urls: list[str], etag: str) -> None:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    )
    transport = AiohttpTransport(client=session)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        await _ask(client, urls, etag)


def _cpu(ask: object, urls: list[str], etag: str) -> float:
    began = time.process_time()
    asyncio.run(ask(urls, etag))  # type: ignore[operator]  # one of the two above
    return time.process_time() - began


def main() -> None:
    """Print the table."""
    body = b"<rss/>"
    with serving({"/feed": body}) as port:
        urls = [address(port, number, "/feed") for number in range(FEEDS)]
        etag = httpx.get(urls[0], trust_env=False).headers["ETag"]
        seconds = {
            name: median(_cpu(ask, urls, etag) for _ in range(ROUNDS))
            for name, ask in (("httpx's own transport", _own), ("aiohttp's transport", _aiohttp))
        }
    print(f"\n{FEEDS} conditional requests to {FEEDS} hosts, all 304; CPU, median of {ROUNDS}\n")
    fastest = min(seconds.values())
    for name, cpu in seconds.items():
        print(f"  {name:24} {cpu:6.2f} s   {cpu / fastest:4.1f} x")


if __name__ == "__main__":
    main()
