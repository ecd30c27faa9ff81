"""uvicorn's HTTP protocol with a timeout for slow clients, and a readable 4xx for bad requests."""

import asyncio
import sys
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_CHECK_SECONDS = 10
_LINGER_SECONDS = 2


class HttpProtocol(H11Protocol):
    """uvicorn's protocol with two changes.

    uvicorn waits forever for the first request, and for the rest of a partial one. Here a client
    that sends nothing or half a request is disconnected after 10 to 20 s.

    After an invalid request, or one that is too large (431), uvicorn closes the connection at once.
    If the client is still sending, the kernel then resets the connection and the answer is lost.
    Here the connection stays open for 2 s more.
    """

    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the periodic check."""
        super().connection_made(transport)
        self.loop.call_later(_CHECK_SECONDS, self._check, None)

    def data_received(self, data: bytes) -> None:
        """Discard what follows a refused request."""
        if not self._is_refused:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Send the error, and close the connection after the client had time to read it."""
        status = HTTPStatus(getattr(sys.exception(), "error_status_hint", HTTPStatus.BAD_REQUEST))
        head = h11.Response(
            status_code=status,
            reason=status.phrase,
            headers=[("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")],
        )
        for event in (head, h11.Data(data=msg.encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._is_refused = True
        self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _check(self, previous: RequestResponseCycle | None) -> None:
        """Disconnect if no request came since ``previous``, the newest at the last check."""
        if self.transport.is_closing():
            return
        answered = previous is None or previous.response_complete
        if answered and self.cycle is previous:
            self.transport.close()
        else:
            self.loop.call_later(_CHECK_SECONDS, self._check, self.cycle)
