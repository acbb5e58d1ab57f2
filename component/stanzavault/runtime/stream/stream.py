"""The component's stream: stays connected, takes stanzas in fairly, sends, and asks."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from typing import Any, Final, TypeVar
from xml.etree.ElementTree import Element

from .admission import Admission, is_response
from .backoff import Backoff
from .dispatcher import Dispatcher
from .failures import Disconnected, Failure
from .link import ComponentLink
from .observer import StreamObserver
from .quiet import silence_slixmpp
from .refusals import Refusal, error_reply, is_answerable
from .requests import OpenRequests
from .settings import StreamSettings
from .writer import STANZA_KINDS, to_wire

log = logging.getLogger("stanzavault.stream")

_CLOSING_SHARE: Final = 0.2
_CLOSING_MOST: Final = 1.0
"""Of the time that ``stop`` has, this share, and no more seconds, is kept for closing the stream."""

Result = TypeVar("Result")


class Stream:
    """Serves one component JID until it is stopped.

    Args:
        settings: Where, who and how much.
        handle: Called with each stanza, an element as received, namespace ``jabber:component:accept``, and
            with the seconds that it waited for its turn. Its ``from`` is a valid JID and its ``to`` lies in
            the component's domain. An IQ is of type get or set and has an id and one child. Many run at once,
            each with its own context variables. An exception is logged by an id, and an IQ is then answered
            ``internal-server-error`` with that id.
        queue_key: Whose stanza this is, for the order within an account and the fairness between accounts.
        observer: Told of everything worth counting.

    A stanza in another namespace, ``jabber:client`` included, is not taken as one of this stream: it is
    ignored and counted, since no server that speaks XEP-0114 sends it.
    """

    def __init__(
        self,
        settings: StreamSettings,
        handle: Callable[[Element, float], Awaitable[None]],
        *,
        queue_key: Callable[[Element], Hashable],
        observer: StreamObserver,
    ) -> None:
        silence_slixmpp()
        self._settings = settings
        self._observer = observer
        self._admission = Admission(settings.jid)
        self._requests = OpenRequests()
        self._dispatcher = Dispatcher(
            handle,
            queue_key,
            settings.queue,
            observer=observer,
            answer=self._answer_element,
            on_room=self._read_on,
        )
        self._link: ComponentLink | None = None
        self._established_at: float | None = None
        self._last_failure: Failure | None = None
        self._stopping = False
        self._stopped = asyncio.Event()
        self._returned = asyncio.Event()
        self._returned.set()

    @property
    def connected(self) -> bool:
        """Whether there is an established stream."""
        return self._link is not None and self._link.is_established

    @property
    def last_failure(self) -> str | None:
        """Why the latest connection ended or could not be made, for health; None while there is one."""
        return None if self._last_failure is None else self._last_failure.text

    @property
    def waiting(self) -> int:
        """Stanzas that wait for a handler."""
        return self._dispatcher.waiting

    @property
    def running(self) -> int:
        """Stanzas whose handlers run."""
        return self._dispatcher.running

    # Life

    async def run(self) -> None:
        """Connects, and reconnects however often it takes, until ``stop``."""
        self._returned.clear()
        link = self._link = ComponentLink(self._settings, self)
        backoff = Backoff(self._settings.reconnect)
        try:
            while not self._stopped.is_set():
                failure = await self._unless_stopped(link.serve())
                if failure is not None and not self._stopped.is_set():
                    delay = backoff.after(self._connection_ended(failure))
                    self._observer.reconnect_scheduled(delay)
                    log.info(
                        "connecting in %.1f s",
                        delay,
                        extra={"action": "reconnect-scheduled", "delay_s": delay},
                    )
                    await self._unless_stopped(asyncio.sleep(delay))
        finally:
            self._requests.abandon()
            await self._dispatcher.end()
            self._link = None
            self._returned.set()

    async def stop(self, within: float) -> None:
        """Takes no more, lets what was taken end, sends what is waiting, and closes the stream.

        Stanzas that arrive meanwhile are answered ``recipient-unavailable``; handlers may still send and ask.
        Handlers that have not ended in time are cancelled, and what still waited is refused.

        Args:
            within: Seconds for all of it.
        """
        self._stopping = True
        deadline = time.monotonic() + within
        self._read_on()
        await self._dispatcher.wait_until_idle(within - min(_CLOSING_MOST, within * _CLOSING_SHARE))
        for element in await self._dispatcher.end():
            self.refused(element.tag, element.attrib, Refusal.STOPPING)
        if self._link is not None:
            await self._link.close(max(0.0, deadline - time.monotonic()))
        self._stopped.set()
        await self._returned.wait()
        log.info("stopped", extra={"action": "stopped"})

    async def _unless_stopped(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """The work's result, or None if ``stop`` came first; then the work has been cancelled."""
        loop = asyncio.get_running_loop()
        working, stopped = loop.create_task(work), loop.create_task(self._stopped.wait())
        try:
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            if not working.done():
                working.cancel()
                await asyncio.wait({working})
        return None if working.cancelled() else working.result()

    def _connection_ended(self, failure: Failure) -> float:
        """Tells everybody; returns for how many seconds there was a stream."""
        lasted = 0.0 if self._established_at is None else time.monotonic() - self._established_at
        self._established_at = None
        self._last_failure = failure
        self._requests.abandon()
        self._observer.connection_ended(failure)
        log.warning(
            "no stream to %s port %d: %s",
            self._settings.host,
            self._settings.port,
            failure.text,
            extra={
                "action": "connection-ended",
                "reason": failure.reason.value,
                "condition": failure.condition,
            },
        )
        return lasted

    # Out

    async def send(self, stanza: Element | str) -> None:
        """Sends one stanza; waits while the server does not read.

        Args:
            stanza: An element in the namespace ``jabber:component:accept``, or such a one as text that the
                caller has escaped, without a declared default namespace.

        Raises:
            ValueError: It is no stanza, or holds what XML can't carry; see ``writer.to_wire``.
            Disconnected: There is no established stream.
        """
        data = to_wire(stanza)
        if self._link is None:
            raise Disconnected("the stream does not run")
        await self._link.send_bytes(data)

    async def request(self, iq: Element, timeout: float) -> Element:  # noqa: ASYNC109  (part of the interface)
        """Asks, under a fresh id, and returns the result or error that comes from the address that was asked.

        Args:
            iq: Of type get or set, with ``to``; its id is replaced; ``from`` is the component if absent.
            timeout: Seconds, sending included.

        Raises:
            TimeoutError: No answer came in time.
            Disconnected: There is no stream, or it ended before the answer came.
            ValueError: ``to`` is no JID, the type is another, or the IQ can't be sent.
        """
        if iq.get("type") not in {"get", "set"}:
            raise ValueError("a request is an iq of type get or set")
        with self._requests.open(iq.get("to", "")) as (identifier, answer):
            self._read_on()
            asked = Element(iq.tag, {"from": self._settings.jid, **iq.attrib, "id": identifier})
            asked.extend(iq)
            async with asyncio.timeout(timeout):
                await self.send(asked)
                return await answer

    # In: what the link calls

    def has_room(self) -> bool:
        """Whether to read on; always while somebody waits for an answer, which may be the next to read."""
        return not self._dispatcher.is_full or bool(self._requests) or self._stopping

    def established(self) -> None:
        """The server has accepted the handshake."""
        self._established_at = time.monotonic()
        self._last_failure = None
        self._observer.connection_established()
        log.info(
            "connected to %s port %d",
            self._settings.host,
            self._settings.port,
            extra={"action": "connected"},
        )

    def stanza(self, element: Element, size: int) -> None:
        """Lets a stanza wait for its turn, gives a response to whoever asked, or refuses."""
        refusal = self._admission.refusal_of(element)
        if refusal is None:
            if is_response(STANZA_KINDS[element.tag], element.attrib):
                refusal = None if self._requests.resolve(element) else Refusal.UNEXPECTED_RESPONSE
            elif self._stopping:
                refusal = Refusal.STOPPING
            else:
                refusal = self._dispatcher.put(element, size)
        if refusal is not None:
            self.refused(element.tag, element.attrib, refusal)

    def refused(self, tag: str, attributes: Mapping[str, str], refusal: Refusal) -> None:
        """Counts a stanza that is not served, and tells its sender where there is one to tell."""
        self._observer.stanza_refused(STANZA_KINDS.get(tag, "other"), refusal)
        log.debug("refused: %s", refusal.label, extra={"action": "stanza-refused", "reason": refusal.label})
        self._answer(tag, attributes, refusal)

    def _answer_element(self, element: Element, refusal: Refusal, *, text: str | None = None) -> None:
        self._answer(element.tag, element.attrib, refusal, text=text)

    def _answer(
        self, tag: str, attributes: Mapping[str, str], refusal: Refusal, *, text: str | None = None
    ) -> None:
        kind = STANZA_KINDS.get(tag)
        if (
            kind is not None
            and self._link is not None
            and refusal.condition
            and is_answerable(kind, attributes)
            and self._admission.misaddressed(attributes) is None
        ):
            self._link.send_raw(to_wire(error_reply(kind, attributes, refusal, text=text)))

    def _read_on(self) -> None:
        if self._link is not None:
            self._link.read_on()
