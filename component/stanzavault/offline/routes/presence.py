"""Presence that reaches the vault: logins, and subscriptions that make a client tell them by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.ports import Post
from stanzavault.kernel.request import Request, Way
from stanzavault.offline.routes.introduction import introduce
from stanzavault.offline.stanza import presence
from stanzavault.storage.unit import Database


class Presence:
    """Takes presence.

    Args:
        database: where accounts become known.
        post: sends the vault's own.
        available: told a session and its priority.
        unavailable: told a session that ended.
        component: the vault's address.
    """

    def __init__(
        self,
        database: Database,
        post: Post,
        available: Callable[[Address, int], None],
        unavailable: Callable[[Address], None],
        component: Address,
    ) -> None:
        self._database = database
        self._post = post
        self._available = available
        self._unavailable = unavailable
        self._component = component

    async def take(self, request: Request) -> None:
        """Note who comes and goes, and answer subscriptions and probes.

        Accounts of the configured hosts may subscribe to the vault. Nobody may subscribe to an account's
        address inside it, nor anybody else to the vault.

        Raises:
            BadRequest: the priority is none.
            ResourceConstraint: the database can't be reached.
        """
        sender = request.principal.address
        if request.way is not Way.DIRECT or not request.principal.is_local:
            if request.type == "subscribe":
                await self._send([presence.refusal(self._addressed(request), sender.bare)])
            return
        match request.type:
            case "" if not sender.is_bare:
                priority = presence.priority(request.stanza)
                await introduce(self._database, request.account)
                self._available(sender, priority)
            case "unavailable" if not sender.is_bare:
                self._unavailable(sender)
            case "subscribe":
                await self._send(presence.welcome(self._component, sender.bare))
            case "unsubscribe":
                await self._send(presence.farewell(self._component, sender.bare))
            case "probe":
                await self._send([presence.here(self._component, sender)])

    def _addressed(self, request: Request) -> Address:
        return (
            request.account.inside(self._component.domain)
            if request.way is Way.BY_ACCOUNT
            else self._component
        )

    async def _send(self, stanzas: Iterable[Element]) -> None:
        for stanza in stanzas:
            await self._post.send(stanza)
