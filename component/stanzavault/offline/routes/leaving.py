r"""A message is left for an account by addressing `user\40domain@component` (XEP-0160)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import ServiceUnavailable
from stanzavault.kernel.request import Request
from stanzavault.offline import store
from stanzavault.offline.model import Quota
from stanzavault.offline.rules import storing
from stanzavault.offline.stanza.xep_0160 import parse_letter
from stanzavault.storage.unit import Database, Unit
from stanzavault.storage.usage import Store, charge


class Leaving:
    """Keeps messages for the absent.

    Args:
        database: where they wait.
        left: told the account and the position of each message, once it is committed.
        component: the vault's address.
        quota: what one account may have waiting.
        retention: how long a message waits.
        largest: bytes of a stanza that comes in.
    """

    def __init__(
        self,
        database: Database,
        left: Callable[[Address, int], None],
        component: Address,
        *,
        quota: Quota,
        retention: timedelta,
        largest: int,
    ) -> None:
        self._database = database
        self._left = left
        self._component = component
        self._quota = quota
        self._retention = retention
        self._largest = largest

    async def leave(self, request: Request) -> None:
        """Keep a message, from whomever it comes; return once it is durable.

        Raises:
            ServiceUnavailable: it can't be kept, its account is unknown here, or its queue is full.
            NotAcceptable: it, or its sender's address, is too long to be handed on.
        """
        letter = parse_letter(request.stanza, request.account, request.principal.address, self._component)
        if not storing.is_kept(letter):
            return
        storing.require_returnable(letter.sender, self._component)
        storing.require_sendable(letter, self._largest)

        async def keep(unit: Unit) -> None:
            if await unit.find_owner(letter.account) is None:
                # The server alone knows its accounts: one that never came here may not exist at all.
                raise ServiceUnavailable("No account of this name has ever been here.")
            owner = await unit.owner(letter.account)
            place, size = await store.append(
                unit.connection, owner, letter, unit.now, storing.expiry(unit.now, self._retention)
            )
            kept = await charge(unit.connection, owner, Store.OFFLINE, size=size, records=1)
            storing.require_room(*kept, self._quota)

            async def tell() -> None:
                self._left(letter.account, place.position)

            unit.after_commit(tell)

        await self._database.write(letter.account, keep)
