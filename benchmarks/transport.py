"""Compares the CPU time of httpx with its own transport and with aiohttp, which we use.

Each transport makes 1,000 requests to 1,000 loopback hosts, 64 concurrently, all answered 304.
"""

import asyncio
import time
from statistics import median

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from benchmarks.server import address, serving

FEEDS = 1000
CONCURRENCY = 64
ROUNDS = 3


async def _request_all(client: httpx.AsyncClient, urls: list[str], etag: str) -> None:
    slots = asyncio.Semaphore(CONCURRENCY)

    async def request(url: str) -> None:
        async with slots:
            answer = await client.get(url, headers={"If-None-Match": etag})
            assert answer.status_code == 304

    await asyncio.gather(*map(request, urls))


async def _httpx_transport(urls: list[str], etag: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await _request_all(client, urls, etag)


async def _aiohttp_transport(urls: list[str], etag: str) -> None:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    )
    transport = AiohttpTransport(client=session)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        await _request_all(client, urls, etag)


def _cpu_seconds(request_all: object, urls: list[str], etag: str) -> float:
    began = time.process_time()
    asyncio.run(request_all(urls, etag))  # type: ignore[operator]  # one of the two functions above
    return time.process_time() - began


def main() -> None:
    """Print the table."""
    body = b"<rss/>"
    with serving({"/feed": body}) as port:
        urls = [address(port, number, "/feed") for number in range(FEEDS)]
        etag = httpx.get(urls[0], trust_env=False).headers["ETag"]
        seconds = {
            name: median(_cpu_seconds(request_all, urls, etag) for _ in range(ROUNDS))
            for name, request_all in (
                ("httpx's own transport", _httpx_transport),
                ("aiohttp's transport", _aiohttp_transport),
            )
        }
    print(f"\n{FEEDS} conditional requests to {FEEDS} hosts, all 304; CPU, median of {ROUNDS}\n")
    fastest = min(seconds.values())
    for name, cpu in seconds.items():
        print(f"  {name:24} {cpu:6.2f} s   {cpu / fastest:4.1f} x")


if __name__ == "__main__":
    main()
