"""What leaves on one connection: gathered into few writes, held back while the server does not read."""

import asyncio
from collections.abc import Callable
from typing import Final

_WRITE_AT_ONCE: Final = 64 * 1024
"""Bytes gathered before they are written without waiting for the loop's next turn."""
_CONGESTED_AT: Final = 256 * 1024
"""Bytes that the server has not taken at which senders wait."""
_DEAF_AT: Final = 1024 * 1024
"""Bytes that the server has not taken at which nothing is read either: refusals can't wait as senders do."""


class Outbox:
    """Writes to one transport, and notices a peer that takes nothing.

    Args:
        transport: Of a connection that has just been made.
        stall_timeout: Seconds for which the peer may take nothing while something waits for it.
        keepalive: Seconds of silence after which a space is written (RFC 6120 section 4.6.1).
        on_stall: Called once when ``stall_timeout`` has passed.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        stall_timeout: float,
        keepalive: float,
        on_stall: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._stall_timeout = stall_timeout
        self._keepalive = keepalive
        self._on_stall = on_stall
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._wrote_since_tick = False
        self._room = asyncio.Event()
        self._room.set()
        self._keepalive_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        transport.set_write_buffer_limits(high=_CONGESTED_AT)

    @property
    def is_congested(self) -> bool:
        """Whether senders should wait."""
        return not self._room.is_set()

    @property
    def is_deaf(self) -> bool:
        """Whether so much waits that nothing that might need an answer should be read."""
        return (
            self.is_congested and self._transport.get_write_buffer_size() + self._gathered_bytes >= _DEAF_AT
        )

    async def wait_for_room(self) -> None:
        """Returns when the peer has read enough, or the connection is gone."""
        await self._room.wait()

    def write(self, data: bytes) -> None:
        """Adds to what leaves at the end of the loop's turn."""
        if not self._gathered:
            self._loop.call_soon(self.flush)
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        if self._gathered_bytes >= _WRITE_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Hands what is gathered to the transport."""
        if self._gathered:
            data = b"".join(self._gathered)
            self._gathered.clear()
            self._gathered_bytes = 0
            self._wrote_since_tick = True
            if not self._transport.is_closing():
                self._transport.write(data)

    def congest(self) -> None:
        """The transport's buffer is full."""
        self._room.clear()
        self._watch(self._transport.get_write_buffer_size())

    def relieve(self) -> None:
        """The transport's buffer has room again."""
        self._room.set()
        if self._stall_timer is not None:
            self._stall_timer.cancel()

    def keep_alive(self) -> None:
        """Writes a space now and then from here on, while nothing else is written."""
        self._wrote_since_tick = False
        self._keepalive_timer = self._loop.call_later(self._keepalive, self._tick)

    def end(self) -> None:
        """The connection is gone: nobody waits any longer, and no timer is left."""
        self._gathered.clear()
        self._room.set()
        for timer in (self._keepalive_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()

    def _tick(self) -> None:
        if not (self._wrote_since_tick or self.is_congested):
            self.write(b" ")
            self.flush()
        self.keep_alive()

    def _watch(self, waiting: int) -> None:
        self._stall_timer = self._loop.call_later(self._stall_timeout, self._check_stall, waiting)

    def _check_stall(self, waited: int) -> None:
        waiting = self._transport.get_write_buffer_size()
        if waiting < waited:
            self._watch(waiting)
        else:
            self._on_stall()
