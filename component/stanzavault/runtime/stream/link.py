"""One component connection at a time: slixmpp's ``ComponentXMPP`` with its stream handling replaced.

slixmpp keeps what it does well: the component's identity, the stream header, the handshake's proof (XEP-0114
section 3) and its events. Replaced is everything between the socket and a stanza, where stock slixmpp can be
dropped, spun, stalled or made to talk. No slixmpp stanza object is built for what passes.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from enum import Enum, auto
from typing import Any, Final, Protocol, cast
from xml.etree.ElementTree import Element

from slixmpp import ComponentXMPP
from slixmpp.xmlstream.stanzabase import StanzaBase
from slixmpp.xmlstream.tostring import tostring

from .dialling import bound_retransmission, dial, is_exposed
from .failures import Disconnected, Failure, FailureReason, failure_of_stream_error
from .outbox import Outbox
from .reader import (
    STREAMS,
    StanzaRead,
    StanzaReader,
    StanzaTooBig,
    StreamBroken,
    StreamEvent,
    StreamOpened,
)
from .refusals import Refusal
from .settings import StreamSettings
from .writer import COMPONENT

_SLICE: Final = 8 * 1024
"""Bytes parsed before looking again whether there is room for more."""
_CLOSING_TIME: Final = 2.0
"""Seconds for the last bytes to leave, after a stream error was sent or the server closed its stream."""
_ERROR: Final = f"{{{STREAMS}}}error"
_HANDSHAKE: Final = f"{{{COMPONENT}}}handshake"
_CONDITIONS: Final = "urn:ietf:params:xml:ns:xmpp-streams"


class _State(Enum):
    DOWN = auto()
    OPENING = auto()
    ESTABLISHED = auto()
    CLOSING = auto()


class Receiver(Protocol):
    """What a link hands on to."""

    def has_room(self) -> bool:
        """Whether one more stanza may be handed on now; if not, reading pauses until ``read_on``."""

    def established(self) -> None:
        """The server has accepted the handshake."""

    def stanza(self, element: Element, size: int) -> None:
        """A complete stanza of so many bytes, of whatever namespace."""

    def refused(self, tag: str, attributes: dict[str, str], refusal: Refusal) -> None:
        """A stanza that the link does not hand on, by its head."""


class ComponentLink(ComponentXMPP):
    """Connects, proves the secret, and hands stanzas on until the connection ends; then again, if asked.

    Made within the running loop. What belongs to one connection is made anew with it.
    """

    def __init__(self, settings: StreamSettings, receiver: Receiver) -> None:
        super().__init__(settings.jid, settings.secret, settings.host, settings.port)  # type: ignore[no-untyped-call]  # slixmpp
        self._settings = settings
        self._receiver = receiver
        self._state = _State.DOWN
        self._failure: Failure | None = None
        self._reader = StanzaReader(settings.limits)
        self._outbox: Outbox | None = None
        self._unread = memoryview(b"")
        self._events: deque[StreamEvent] = deque()
        self._reading_paused = False
        self._answered: asyncio.Future[None] = self.loop.create_future()
        self._ended: asyncio.Future[None] = self.loop.create_future()

    @property
    def is_established(self) -> bool:
        """Whether the handshake has been answered and nobody has begun to close the stream."""
        return self._state is _State.ESTABLISHED

    # A connection's life

    async def serve(self) -> Failure:
        """Connects once, and returns when that connection has ended, with the reason."""
        self._failure = None
        self._answered = self.loop.create_future()
        self._ended = self.loop.create_future()
        try:
            failure = await self._establish()
            if failure is None:
                await self._ended
                return self._why_ended()
            return failure
        finally:
            if self.transport is not None:
                self.transport.abort()
                await self._ended

    async def close(self, within: float) -> None:
        """Sends what is waiting and ``</stream:stream>``, and waits that long for the server's."""
        if self.transport is None:
            return
        self._finish(Failure(FailureReason.STOPPED))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await asyncio.shield(self._ended)
        if self.transport is not None:
            self.transport.abort()

    def _why_ended(self) -> Failure:
        return self._failure or Failure(FailureReason.LOST)

    async def _establish(self) -> Failure | None:
        try:
            async with asyncio.timeout(self._settings.handshake_timeout):
                await dial(self._settings, self)
                await self._answered
        except TimeoutError:
            if self.transport is None:
                return Failure(FailureReason.UNREACHABLE)
            self._refuse_stream(Failure(FailureReason.HANDSHAKE_TIMEOUT, "connection-timeout"))
        except ConnectionRefusedError:
            return Failure(FailureReason.REFUSED)
        except ssl.SSLError:
            return Failure(FailureReason.TLS)
        except (OSError, UnicodeError):  # the latter for a name that DNS can't carry
            return Failure(FailureReason.UNREACHABLE)
        return None

    def connection_made(self, transport: asyncio.BaseTransport, send_event: bool = True) -> None:  # noqa: FBT001, FBT002  (slixmpp's signature)
        """Starts a stream of which nothing is left from any before."""
        self.transport = cast("asyncio.Transport", transport)
        self._state = _State.OPENING
        self._reader = StanzaReader(self._settings.limits)
        self._unread = memoryview(b"")
        self._events.clear()
        self._reading_paused = False
        self._outbox = Outbox(
            self.transport,
            stall_timeout=self._settings.stall_timeout,
            keepalive=self._settings.keepalive,
            on_stall=self._stalled,
        )
        if is_exposed(self._settings, self.transport):
            self._failure = Failure(FailureReason.NOT_LOOPBACK)
            self.transport.abort()
            return
        bound_retransmission(self.transport, self._settings.stall_timeout)
        if send_event:
            self.event("connected")
        self.send_raw(self.stream_header)

    def connection_lost(self, exception: BaseException | None) -> None:
        """Lets everybody go who waits for this connection."""
        if self._failure is None and self._state is _State.OPENING:
            self._failure = Failure(FailureReason.CLOSED_EARLY)
        self._state = _State.DOWN
        if self._outbox is not None:
            self._outbox.end()
        self._unread = memoryview(b"")
        self._events.clear()
        super().connection_lost(exception)
        for waited_for in (self._answered, self._ended):
            if not waited_for.done():
                waited_for.set_result(None)

    # Reading

    def data_received(self, data: bytes | str) -> None:
        """Reads as much as there is room for, and keeps the rest."""
        received = data.encode() if isinstance(data, str) else data
        self._unread = memoryview(bytes(self._unread) + received) if self._unread else memoryview(received)
        self._read()

    def read_on(self) -> None:
        """There may be room again: goes on where reading had to pause."""
        if self._reading_paused:
            self._read()

    def _read(self) -> None:
        """Hands on what has been received, while there is room; without, tells the system to read no more."""
        transport = self.transport
        if transport is None:
            return
        self._reading_paused = False
        while self._may_read():
            if self._events:
                self._take(self._events.popleft())
            elif self._unread:
                piece, self._unread = self._unread[:_SLICE], self._unread[_SLICE:]
                self._events.extend(self._reader.feed(piece))
            else:
                if not (transport.is_closing() or transport.is_reading()):
                    transport.resume_reading()
                return
        self._reading_paused = True
        if transport.is_reading():
            transport.pause_reading()

    def _may_read(self) -> bool:
        if self._state is not _State.ESTABLISHED:
            return True
        return (self._outbox is None or not self._outbox.is_deaf) and self._receiver.has_room()

    def _take(self, event: StreamEvent) -> None:
        match event:
            case StanzaRead():
                self._take_child(event.element, event.size)
            case StanzaTooBig(tag, attributes, refusal):
                established = self._state is _State.ESTABLISHED
                self._receiver.refused(tag, attributes, refusal if established else self._unserved())
            case StreamOpened():
                self._take_header(event)
            case StreamBroken(condition):
                self._refuse_stream(Failure(FailureReason.MALFORMED, condition))
            case _:
                early = self._state is _State.OPENING
                self._finish(Failure(FailureReason.CLOSED_EARLY if early else FailureReason.CLOSED))
                self._leave()

    def _take_header(self, header: StreamOpened) -> None:
        if header.tag != f"{{{STREAMS}}}stream" or header.namespace != COMPONENT:
            self._refuse_stream(Failure(FailureReason.MALFORMED, "invalid-namespace"))
        elif "id" not in header.attributes:
            self._refuse_stream(Failure(FailureReason.MALFORMED, "bad-format"))
        else:
            self.start_stream_handler(Element(header.tag, header.attributes))  # type: ignore[no-untyped-call]  # slixmpp

    def _take_child(self, element: Element, size: int) -> None:
        if element.tag == _ERROR:
            self._take_stream_error(element)
        elif self._state is _State.ESTABLISHED:
            self._receiver.stanza(element, size)
        elif self._state is _State.OPENING and element.tag == _HANDSHAKE:
            self._state = _State.ESTABLISHED
            if not self._answered.done():
                self._answered.set_result(None)
            self._handle_handshake(element)  # type: ignore[no-untyped-call]  # slixmpp
            self._receiver.established()
        else:
            self._receiver.refused(element.tag, element.attrib, self._unserved())

    def _unserved(self) -> Refusal:
        return Refusal.BEFORE_HANDSHAKE if self._state is _State.OPENING else Refusal.AFTER_CLOSE

    def _take_stream_error(self, error: Element) -> None:
        names = [child.tag.removeprefix(f"{{{_CONDITIONS}}}") for child in error]
        condition = next((name for name in names if name != "text"), "")
        self._finish(failure_of_stream_error(condition, established=self._state is not _State.OPENING))
        self._leave()

    # Writing

    async def send_bytes(self, stanza: bytes) -> None:
        """Sends when the server has room for it.

        Raises:
            Disconnected: There is no established stream, or it ended while this waited.
        """
        outbox = self._outbox
        if self._state is _State.ESTABLISHED and outbox is not None:
            while outbox.is_congested:
                await outbox.wait_for_room()
        if self._state is not _State.ESTABLISHED or outbox is not self._outbox or outbox is None:
            raise Disconnected("there is no established stream to the server")
        outbox.write(stanza)

    def send_raw(self, data: str | bytes) -> None:
        """Sends without waiting, unless our side is closed: for what the stream itself says."""
        if self._outbox is not None and self._state in {_State.OPENING, _State.ESTABLISHED}:
            self._outbox.write(data.encode() if isinstance(data, str) else data)

    def send(self, data: Any, use_filters: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  (slixmpp's signature)
        """The way out of slixmpp's own stanzas: the handshake."""
        if isinstance(data, StanzaBase):
            data = tostring(data.xml, xmlns=self.default_ns, stream=self, top_level=True)
        self.send_raw(data)

    def pause_writing(self) -> None:
        """Called by the transport when the server reads too slowly."""
        if self._outbox is not None:
            self._outbox.congest()

    def resume_writing(self) -> None:
        """Called by the transport when the server has read."""
        if self._outbox is not None:
            self._outbox.relieve()
            self.read_on()

    def _start_keepalive(self, event: Any) -> None:  # noqa: ARG002  (slixmpp's signature)
        """Ours belongs to the connection; slixmpp's outlives it and then collides with its successor."""
        if self._outbox is not None:
            self._outbox.keep_alive()

    # Ending

    def _stalled(self) -> None:
        self._finish(Failure(FailureReason.STALLED))
        cast("asyncio.Transport", self.transport).abort()

    def _refuse_stream(self, failure: Failure) -> None:
        """Ends the stream with the failure's condition as its error (RFC 6120 section 4.9)."""
        self.send_raw(f'<stream:error><{failure.condition} xmlns="{_CONDITIONS}"/></stream:error>')
        self._finish(failure)
        self._leave()

    def _finish(self, failure: Failure) -> None:
        """Closes our side of the stream, for the first reason that there was."""
        if self._failure is None:
            self._failure = failure
        if self._state is not _State.CLOSING:
            self.send_raw(self.stream_footer)
            self._state = _State.CLOSING
            if self._outbox is not None:
                self._outbox.flush()

    def _leave(self) -> None:
        """Closes the connection when the last bytes have left, or soon anyway."""
        transport = cast("asyncio.Transport", self.transport)
        transport.close()
        self.loop.call_later(_CLOSING_TIME, transport.abort)
