"""Compares the CPU time of our client with that of httpx.

Each makes 1,000 requests to 1,000 loopback hosts, 64 concurrently, all answered 304.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from statistics import median

import httpx

from aggregator.fetch.client import Client
from benchmarks.server import address, serving

FEEDS = 1000
CONCURRENCY = 64
ROUNDS = 3
_LOOPBACK = (ip_network("127.0.0.0/8"),)

RequestAll = Callable[[list[str], str], Awaitable[None]]


async def _request_all(request: Callable[[str], Awaitable[int]], urls: list[str]) -> None:
    """``request`` gives the status of an answer."""
    slots = asyncio.Semaphore(CONCURRENCY)

    async def check(url: str) -> None:
        async with slots:
            assert await request(url) == 304

    await asyncio.gather(*map(check, urls))


async def _httpx(urls: list[str], etag: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:

        async def request(url: str) -> int:
            return (await client.get(url, headers={"If-None-Match": etag})).status_code

        await _request_all(request, urls)


async def _ours(urls: list[str], etag: str) -> None:
    async with Client() as client:

        async def request(url: str) -> int:
            answer = await client.request(url, {"If-None-Match": etag}, _LOOPBACK, seconds=30)
            return answer.status

        await _request_all(request, urls)


async def _cpu_seconds(request_all: RequestAll, urls: list[str], etag: str) -> float:
    began = time.process_time()
    await request_all(urls, etag)
    return time.process_time() - began


def main() -> None:
    """Print the table."""
    body = b"<rss/>"
    clients: dict[str, RequestAll] = {"httpx": _httpx, "our client": _ours}
    with serving({"/feed": body}) as port:
        urls = [address(port, number, "/feed") for number in range(FEEDS)]
        etag = httpx.get(urls[0], trust_env=False).headers["ETag"]
        seconds = {
            name: median(asyncio.run(_cpu_seconds(request_all, urls, etag)) for _ in range(ROUNDS))
            for name, request_all in clients.items()
        }
    print(f"\n{FEEDS} conditional requests to {FEEDS} hosts, all 304; CPU, median of {ROUNDS}\n")
    fastest = min(seconds.values())
    for name, cpu in seconds.items():
        print(f"  {name:12} {cpu:6.2f} s   {cpu / fastest:4.1f} x")


if __name__ == "__main__":
    main()
