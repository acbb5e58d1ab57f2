"""A unit of work within a transaction, and the owners that it meets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from stanzavault.kernel.address import Address
from stanzavault.kernel.ports import Owner
from stanzavault.storage.unit import Effect


class OwnerSource(Protocol):
    """Finds and makes owners (see `stanzavault.accounts.owners.Owners`)."""

    async def find(self, connection: AsyncConnection, address: Address) -> Owner | None:
        """The owner with this bare address."""
        ...

    async def find_or_make(
        self, connection: AsyncConnection, address: Address, now: datetime, found: Owner | None
    ) -> Owner:
        """The owner with this bare address: the one found already, or else made if need be."""
        ...

    @property
    def changes(self) -> int:
        """A count that moves on whenever an owner may have become another than it was."""
        ...

    def remember(self, owner: Owner, as_of: int) -> None:
        """The owner was found by a transaction that began when `changes` was `as_of`."""
        ...

    def replace(self, owner: Owner) -> None:
        """The owner was made, or made able to seal more, and that is committed."""
        ...

    def forget(self, address: Address) -> None:
        """What was done for the owner was undone."""
        ...


class TransactionUnit:
    """One unit within a transaction (see `stanzavault.storage.unit.Unit`).

    Args:
        connection: the transaction's.
        now: the instant of the unit.
        owners: finds and makes owners.
        known: owners that the transaction's units before this one met.
        writes: whether the unit may change something.

    Attributes:
        met: the owners that the unit met.
        sealing: which of them it may have made able to seal.
        effects: what is to be done once it is committed.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        now: datetime,
        owners: OwnerSource,
        known: Mapping[Address, Owner],
        *,
        writes: bool,
    ) -> None:
        self.connection = connection
        self.now = now
        self._known = known
        self.met: dict[Address, Owner] = {}
        self.sealing: set[Address] = set()
        self.effects: list[Effect] = []
        self._owners = owners
        self._writes = writes

    async def find_owner(self, address: Address) -> Owner | None:
        """See `Unit.find_owner`."""
        owner = self._found(address) or await self._owners.find(self.connection, address)
        if owner is not None:
            self.met[address] = owner
        return owner

    async def owner(self, address: Address) -> Owner:
        """See `Unit.owner`."""
        if not self._writes:
            raise RuntimeError("a unit that reads can't make an owner")
        found = self._found(address)
        owner = await self._owners.find_or_make(self.connection, address, self.now, found)
        self.met[address] = owner
        self.sealing.add(address)
        return owner

    def after_commit(self, effect: Effect) -> None:
        """See `Unit.after_commit`."""
        self.effects.append(effect)

    def _found(self, address: Address) -> Owner | None:
        return self.met.get(address) or self._known.get(address)
