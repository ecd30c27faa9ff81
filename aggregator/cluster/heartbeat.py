"""What tells a health check, or systemd's watchdog, that a process goes on."""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path

EVERY_SECONDS = 10.0


async def show_life(file: Path | None) -> None:
    """Touch ``file``, and tell systemd where it asks, every 10 s: as long as our loop goes round,
    whether there is work or not, and whether the database is up or not."""
    while True:
        if file is not None:
            with suppress(OSError):  # which shows in its age
                file.touch()
        _tell_systemd()
        await asyncio.sleep(EVERY_SECONDS)


def _tell_systemd() -> None:
    """As sd_notify(3) does: a datagram to the socket that systemd has named."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
            there.setblocking(False)
            there.sendto(
                b"READY=1\nWATCHDOG=1", "\0" + address[1:] if address[0] == "@" else address
            )
