"""Who may see whose presence, asked of the server through its privilege (XEP-0356, section 4.3)."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import Forbidden, JidMalformed, ResourceConstraint
from stanzavault.kernel.ids import new_stanza_id
from stanzavault.kernel.ports import Post
from stanzavault.kernel.request import Request, Way
from stanzavault.kernel.routing import IqRoute, Routes
from stanzavault.runtime.boundary.xep_0356 import Privileges
from stanzavault.wire.stanza_error import STANZAS
from stanzavault.wire.xml import element, qualified

NAMESPACE = "jabber:iq:roster"

_QUERY = qualified(NAMESPACE, "query")
_ITEM = qualified(NAMESPACE, "item")
_IQ = qualified("jabber:component:accept", "iq")
_ERROR = qualified("jabber:component:accept", "error")
_SEE_PRESENCE = frozenset({"from", "both"})
_REFUSALS = ("forbidden", "not-allowed", "not-authorized")
_SECONDS_KEPT = 30.0
_MOST_CONTACTS = 50_000


class ServerRoster:
    """Reads rosters of local accounts (see `kernel.ports.Roster`), and keeps each for half a minute.

    Args:
        component: the vault's own address.
        privileges: what the servers allow.
        post: asks them.
        within: seconds in which a server answers.
        now: seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        component: str,
        privileges: Privileges,
        post: Post,
        *,
        within: float = 5.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._component = component
        self._privileges = privileges
        self._post = post
        self._within = within
        self._now = now
        self._kept: OrderedDict[Address, tuple[float, frozenset[Address]]] = OrderedDict()
        self._contacts = 0
        self._asking: dict[Address, asyncio.Task[frozenset[Address]]] = {}

    async def is_subscribed(self, account: Address, contact: Address) -> bool:
        """See `kernel.ports.Roster.is_subscribed`."""
        granted = self._privileges.of(account.domain)
        if granted is None or not granted.reads_rosters:
            raise Forbidden(
                f"{account.domain} does not let the vault read rosters, so nobody's presence is known."
            )
        return contact.bare in await self._subscribers(account.bare)

    def routes(self) -> Routes:
        """Roster pushes, which newer servers send to who may read rosters: what is kept is then forgotten."""
        return Routes(iqs=(IqRoute("set", _QUERY, self._take_push, frozenset({Way.DIRECT})),))

    def forget(self) -> None:
        """The link is gone: what changes from now on is not told."""
        self._kept.clear()
        self._asking.clear()
        self._contacts = 0

    async def _take_push(self, request: Request) -> Element | None:
        # A client can send one too, and makes us forget its own roster alone.
        self._drop(request.account)
        self._asking.pop(request.account, None)
        return None

    async def _subscribers(self, account: Address) -> frozenset[Address]:
        kept = self._kept.get(account)
        if kept is not None and kept[0] > self._now():
            return kept[1]
        asking = self._asking.get(account)
        if asking is None:
            asking = self._asking[account] = asyncio.create_task(self._ask(account))
            asking.add_done_callback(lambda task: self._asked(account, task))
        # Others wait for the same answer: one who is cancelled does not take it from them.
        return await asyncio.shield(asking)

    def _asked(self, account: Address, task: asyncio.Task[frozenset[Address]]) -> None:
        failed = task.cancelled() or task.exception() is not None
        if self._asking.get(account) is not task:
            return  # it was forgotten meanwhile: the answer may be of before
        del self._asking[account]
        if failed:
            return
        self._drop(account)
        self._kept[account] = (self._now() + _SECONDS_KEPT, task.result())
        self._contacts += len(task.result()) + 1
        while self._contacts > _MOST_CONTACTS:
            self._drop(next(iter(self._kept)))

    def _drop(self, account: Address) -> None:
        kept = self._kept.pop(account, None)
        if kept is not None:
            self._contacts -= len(kept[1]) + 1

    async def _ask(self, account: Address) -> frozenset[Address]:
        iq = element(_IQ, {"type": "get", "id": new_stanza_id(), "from": self._component, "to": str(account)})
        iq.append(element(_QUERY))
        try:
            answer = await self._post.request(iq, self._within)
        except (TimeoutError, ConnectionError) as error:
            raise ResourceConstraint("The server did not tell the roster. Try again.") from error
        if answer.get("type") == "result":
            return frozenset(_subscribers(answer))
        if any(answer.find(f"{_ERROR}/{qualified(STANZAS, refusal)}") is not None for refusal in _REFUSALS):
            raise Forbidden(
                f"{account.domain} does not let the vault read rosters, so nobody's presence is known."
            )
        raise ResourceConstraint("The server did not tell the roster. Try again.")


def _subscribers(answer: Element) -> set[Address]:
    subscribers = set()
    for item in answer.iterfind(f"{_QUERY}/{_ITEM}"):
        if item.get("subscription") in _SEE_PRESENCE:
            try:
                subscribers.add(Address.parse(item.get("jid", "")).bare)
            except JidMalformed:
                continue  # a contact that has no address asks nothing of us
    return subscribers
