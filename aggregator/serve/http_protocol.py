"""What clients may do to a connection."""

import asyncio
import sys
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_PATIENCE_SECONDS = 10
_LINGERING_SECONDS = 2


class Connection(H11Protocol):
    """uvicorn's, but for two things.

    It waits for the first request without end, and for the rest of one: here a client that says
    nothing, or half a request, is cut after 10 to 20 s. And it closes the connection behind the answer
    to what is no request, or one that is too large (431): where the client still speaks, the kernel
    then resets it, and the answer is lost.
    """

    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at it."""
        super().connection_made(transport)
        self.loop.call_later(_PATIENCE_SECONDS, self._look, None)

    def data_received(self, data: bytes) -> None:
        """Of who was refused, nothing is read any more."""
        if not self._is_refused:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong, and leave the client time to hear it."""
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
        self.loop.call_later(_LINGERING_SECONDS, self.transport.close)

    def _look(self, last: RequestResponseCycle | None) -> None:
        """``last`` is the request that was the newest when we looked before."""
        if self.transport.is_closing():
            return
        answered = last is None or last.response_complete
        if answered and self.cycle is last:
            self.transport.close()
        else:
            self.loop.call_later(_PATIENCE_SECONDS, self._look, self.cycle)
