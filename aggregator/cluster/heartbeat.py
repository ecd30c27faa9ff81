"""Shows health checks and systemd's watchdog that a process is alive."""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path

INTERVAL_SECONDS = 10.0


async def send_heartbeats(file: Path | None) -> None:
    """Touch ``file`` and notify systemd every 10 s, as long as the event loop runs.

    The heartbeat does not depend on work or on the database: restarting a worker would not bring
    the database back.
    """
    while True:
        if file is not None:
            with suppress(OSError):  # the age of the file then shows the trouble
                file.touch()
        _notify_systemd()
        await asyncio.sleep(INTERVAL_SECONDS)


def _notify_systemd() -> None:
    """Send a datagram to the socket that systemd named, as sd_notify(3) does."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.setblocking(False)
            target = "\0" + address[1:] if address[0] == "@" else address
            connection.sendto(b"READY=1\nWATCHDOG=1", target)
