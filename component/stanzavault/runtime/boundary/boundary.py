"""Where stanzas come in: each becomes a request, whichever way it came, and each IQ gets one answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Literal, Protocol
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import (
    BadRequest,
    InternalServerError,
    JidMalformed,
    ServiceUnavailable,
    StanzaError,
)
from stanzavault.kernel.ids import new_stanza_id
from stanzavault.kernel.ports import Post
from stanzavault.kernel.request import Principal, Request, Way
from stanzavault.kernel.routing import Routes
from stanzavault.runtime.boundary import envelopes, xep_0092, xep_0199, xep_0355
from stanzavault.runtime.boundary.addressing import Addressing
from stanzavault.runtime.boundary.in_time import InTime
from stanzavault.runtime.boundary.rate_limits import Pace, RateLimits
from stanzavault.runtime.boundary.reply import Reply
from stanzavault.runtime.boundary.route_table import RouteTable
from stanzavault.runtime.boundary.xep_0030 import Discovery
from stanzavault.runtime.boundary.xep_0356 import Privileges
from stanzavault.runtime.stream import to_wire
from stanzavault.wire.xml import qualified

Kind = Literal["iq", "message", "presence"]

_IQ = qualified("jabber:component:accept", "iq")
_STANZAS: dict[str, Kind] = {
    _IQ: "iq",
    qualified("jabber:component:accept", "message"): "message",
    qualified("jabber:component:accept", "presence"): "presence",
}
_REQUESTS = frozenset({"get", "set"})
_NEVER_ANSWERED: dict[Kind, frozenset[str]] = {
    "iq": frozenset({"result", "error"}),
    "message": frozenset({"error"}),
    "presence": frozenset({"error"}),
}

_log = logging.getLogger("stanzavault.boundary")


class Observer(Protocol):
    """Told of every stanza, to count; it must not block or raise."""

    def settled(self, kind: str, outcome: str, seconds: float) -> None:
        """A stanza is done with.

        Args:
            kind: "iq", "message", "presence", or "other" for what is no stanza.
            outcome: "result", "taken" (it needs no answer), "dropped" (it may have none), the
                condition of the error that answered it, or "lost" where the link broke before the answer.
            seconds: from the boundary's taking it to its answer's having been sent.
        """
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms stanzas are served.

    Attributes:
        reply: bytes of a result's payload, at most (`limits.reply`).
        pace: stanzas of one account (`limits.per_account`).
        answer_within: seconds.
        version: of the program, as XEP-0092 tells it.
    """

    reply: int
    pace: Pace
    answer_within: float
    version: str


class Boundary:
    """Serves the stanzas of one component.

    Args:
        addressing: what is the vault's, and whose accounts it serves.
        terms: limits.
        routes: of every slice.
        privileges: takes what servers tell that they allow.
        post: sends the answers.
        observer: counts.
        correlated: gives a block in which every log record carries the id.
        now: seconds of a clock that only goes forward.

    Raises:
        ValueError: two routes would serve the same.
    """

    def __init__(
        self,
        addressing: Addressing,
        terms: Terms,
        routes: Iterable[Routes],
        privileges: Privileges,
        post: Post,
        *,
        observer: Observer,
        correlated: Callable[[str], AbstractContextManager[object]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        served = (*routes, xep_0092.routes(terms.version), xep_0199.routes())
        self._table = RouteTable((*served, Discovery(served).routes()))
        self._addressing = addressing
        self._most_bytes = terms.reply
        self._privileges = privileges
        self._post = post
        self._observer = observer
        self._correlated = correlated
        self._now = now
        self._rates = RateLimits(terms.pace, now)
        self._in_time = InTime(terms.answer_within)

    def queue_key(self, stanza: Element) -> str:
        """Whose turn a stanza takes: an account's, or that of a whole remote domain, whose accounts are free.

        What a server hands over takes its sender's turn. Never raises.
        """
        try:
            sender = Address.parse(stanza.get("from", ""))
            if self._addressing.is_server(sender):
                inner = xep_0355.peek(stanza)
                if inner is not None:
                    sender = Address.parse(inner.get("from", ""))
        except JidMalformed:
            return ""
        return str(sender.bare) if self._addressing.is_account(sender) else sender.domain

    async def handle(self, stanza: Element, waited: float = 0.0) -> None:
        """Serve one stanza, and send its answer if it has one. Never raises.

        Args:
            stanza: of namespace `jabber:component:accept`.
            waited: seconds that it waited for its turn, which count as time of its answer.
        """
        started = self._now()
        request_id = new_stanza_id()
        kind = _STANZAS.get(stanza.tag)
        with self._correlated(request_id):
            outcome = "dropped" if kind is None else await self._settle(request_id, kind, stanza, waited)
        self._observer.settled(kind or "other", outcome, self._now() - started)

    async def finish(self, within: float) -> None:
        """Wait for what was answered as late and still goes on; cut it off after so many seconds."""
        await self._in_time.finish(within)

    async def _settle(self, request_id: str, kind: Kind, stanza: Element, waited: float) -> str:
        sender = _sender(stanza)
        if sender is None or stanza.get("type") in _NEVER_ANSWERED[kind]:
            return "dropped"
        reply = Reply(stanza, self._addressing.component)
        try:
            if kind == "iq":
                reply = self._opened(sender, reply)
            request = self._request(request_id, kind, sender, reply)
            payload = await self._in_time.run(self._serve(request), waited)
            if kind != "iq":
                return "taken"
            self._check_size(payload)
            answer, outcome = reply.result(payload), "result"
        except StanzaError as error:
            answer, outcome = reply.error(error), error.condition
        except Exception as error:  # noqa: BLE001 - a fault in one request stops no other
            answer, outcome = self._failure(request_id, reply, error), InternalServerError.condition
        try:
            await self._post.send(answer)
        except ConnectionError:
            outcome = "lost"
        except ValueError as error:  # a handler made what is no XML
            outcome = InternalServerError.condition
            with suppress(ConnectionError):
                await self._post.send(self._failure(request_id, reply, error))
        return outcome

    def _opened(self, sender: Address, reply: Reply) -> Reply:
        """The way back for an IQ, or for the IQ that a server hands over in it."""
        wrapper = reply.stanza
        _check_iq(wrapper)
        is_ours = wrapper.get("to", "") == self._addressing.component and self._addressing.is_server(sender)
        if not (is_ours and envelopes.is_delegation(wrapper[0])):
            return reply
        inner = xep_0355.unwrap(wrapper)
        return Reply(inner, str(Address.parse(inner.get("from", "")).bare), wrapper)

    def _request(self, request_id: str, kind: Kind, sender: Address, reply: Reply) -> Request:
        stanza, addressing = reply.stanza, self._addressing
        if reply.wrapper is None:
            principal = self._admitted(sender)
            way, account = addressing.destination(stanza.get("to"), principal, is_iq=kind == "iq")
        else:
            _check_iq(stanza)
            principal = self._admitted(Address.parse(stanza.get("from", "")))
            way = Way.HANDED_OVER
            account = addressing.handed_over(sender, principal.address, stanza.get("to"))
        if not (way is Way.DIRECT and addressing.is_server(principal.address)):
            is_left = kind == "message" and way is Way.BY_ACCOUNT
            envelopes.refuse_forged(stanza, left_for_account=is_left)
        payload = stanza[0] if kind == "iq" else stanza
        return Request(request_id, kind, stanza.get("type", ""), way, principal, account, payload, stanza)

    def _admitted(self, sender: Address) -> Principal:
        principal = self._addressing.principal(sender)
        if not self._addressing.is_server(sender):
            self._rates.admit(principal)
        return principal

    async def _serve(self, request: Request) -> Element | None:
        if request.kind == "iq":
            return await self._table.answer(request)(request)
        if request.kind == "presence":
            for deed in self._table.presences:
                await deed(request)
        elif request.way is Way.BY_ACCOUNT and self._table.message is not None:
            await self._table.message(request)
        elif not self._noted(request):
            raise ServiceUnavailable("Nobody takes messages at this address.")
        return None

    def _noted(self, request: Request) -> bool:
        """Take to heart what a server tells of what it hands over or allows; False where it tells nothing."""
        server = request.principal.address
        # From anybody else it was refused before; what opens rosters is worth a second look.
        if request.way is not Way.DIRECT or not self._addressing.is_server(server):
            return False
        noted = False
        for child in request.stanza:
            if envelopes.is_privilege(child):
                self._privileges.record(server.domain, child)
                noted = True
            elif envelopes.is_delegation(child):
                count = len(xep_0355.namespaces(child))
                _log.info("a server hands over namespaces", extra={"action": "delegation", "count": count})
                noted = True
        return noted

    def _check_size(self, payload: Element | None) -> None:
        """Measure an answer as the stream writes it, which may take many times what ElementTree does."""
        if payload is None:
            return
        alone = Element(_IQ)
        alone.append(payload)
        size = len(to_wire(alone))
        if size > self._most_bytes:
            raise RuntimeError(f"an answer of {size} bytes was made where {self._most_bytes} may be sent")

    def _failure(self, request_id: str, reply: Reply, error: Exception) -> Element:
        _log.error("a request failed", exc_info=error, extra={"action": "failed", "stanza": request_id})
        return reply.error(
            InternalServerError(f"The vault failed. Its operator finds why under {request_id}.")
        )


def _sender(stanza: Element) -> Address | None:
    """Who sent a stanza, as the server vouches; None where nobody can be answered."""
    try:
        return Address.parse(stanza.get("from", ""))
    except JidMalformed:
        return None


def _check_iq(iq: Element) -> None:
    if iq.get("type") not in _REQUESTS:
        raise BadRequest("An IQ is of type get, set, result or error (RFC 6120, section 8.2.3).")
    if not iq.get("id"):
        raise BadRequest("An IQ needs the attribute 'id' (RFC 6120, section 8.2.3).")
    if len(iq) != 1:
        raise BadRequest("An IQ of type get or set has exactly one child (RFC 6120, section 8.2.3).")
