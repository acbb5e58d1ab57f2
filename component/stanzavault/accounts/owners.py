"""Finds and makes owners, and sees to it that no data key seals more than it may."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from stanzavault.accounts import store, vault
from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import Forbidden
from stanzavault.kernel.ports import KeyPurpose, Keyring, Owner

MOST_SEALS = 2**32
"""Seals of one data key: random 96-bit nonces stay apart up to there (NIST SP 800-38D, section 8.3)."""

_RESERVED_AT_ONCE = 2**17
_LEAST_BUDGET = 2**14  # more than the records of any one unit: a stanza has at most 10,000 parts
_MOST_REMEMBERED = 4096


class Owners:
    """The owners of this vault.

    Opened keys of the owners met last are remembered, only of committed ones: see `remember` and `forget`.

    Args:
        keyring: makes and opens their keys.
        hosts: the configured hosts; only their accounts become owners.
    """

    def __init__(self, keyring: Keyring, hosts: Collection[str]) -> None:
        self._keyring = keyring
        self._hosts = frozenset(hosts)
        self._remembered: OrderedDict[Address, Owner] = OrderedDict()
        self._changed: OrderedDict[Address, int] = OrderedDict()
        self._changed_before = 0  # at the latest, those which are not in `_changed`
        self._changes = 0

    @property
    def changes(self) -> int:
        """A count that moves on whenever an owner may have become another than it was (see `remember`)."""
        return self._changes

    async def find(self, connection: AsyncConnection, address: Address) -> Owner | None:
        """The owner with this bare address.

        Raises:
            NotOpened: its keys do not open.
        """
        remembered = self._remembered.get(address)
        if remembered is not None:
            self._remembered.move_to_end(address)
            return remembered
        lookup = self._keyring.lookup(address)
        found = await store.find(connection, lookup)
        return self._keyring.open_owner(found.id, address, lookup, found.keys) if found else None

    async def find_or_make(
        self, connection: AsyncConnection, address: Address, now: datetime, found: Owner | None = None
    ) -> Owner:
        """The owner with this bare address, able to seal all the records of one unit.

        Args:
            connection: of the transaction.
            address: bare.
            now: the instant of the unit.
            found: the owner, where this transaction found it before.

        Raises:
            Forbidden: the address is not of a configured host.
            NotOpened: its keys do not open.
        """
        owner = found or await self.find(connection, address) or await self._make(connection, address, now)
        if owner.sealer.budget < _LEAST_BUDGET:
            owner = await self._reserve(connection, owner)
        return owner

    def remember(self, owner: Owner, as_of: int) -> None:
        """Keep the opened keys of an owner at hand whom a transaction found.

        Not where the owner was erased, or got another key, since that transaction began: it may have found
        what is no more.

        Args:
            owner: as it was found.
            as_of: what `changes` was when the transaction began.
        """
        if owner.address not in self._remembered and (
            self._changed.get(owner.address, self._changed_before) <= as_of
        ):
            self._keep(owner)

    def replace(self, owner: Owner) -> None:
        """Keep the opened keys of an owner at hand who was made, or made able to seal more, and committed."""
        self._keep(owner)
        self._note_change(owner.address)

    def forget(self, address: Address) -> None:
        """Drop an owner's opened keys: it was erased, or a unit that changed them was undone."""
        self._remembered.pop(address, None)
        self._note_change(address)

    def _keep(self, owner: Owner) -> None:
        self._remembered[owner.address] = owner
        self._remembered.move_to_end(owner.address)
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    def _note_change(self, address: Address) -> None:
        self._changes += 1
        self._changed[address] = self._changes
        self._changed.move_to_end(address)
        if len(self._changed) > _MOST_REMEMBERED:
            self._changed_before = self._changed.popitem(last=False)[1]

    async def _make(self, connection: AsyncConnection, address: Address, now: datetime) -> Owner:
        if address.domain not in self._hosts or not address.local:
            raise Forbidden("Only accounts of the hosts that this vault serves can keep something in it.")
        await self._follow_rotation(connection)
        lookup = self._keyring.lookup(address)
        keys = [self._keyring.new_key(lookup, purpose, 1) for purpose in KeyPurpose]
        owner_id = await store.insert(connection, lookup, now, keys)
        owner = self._keyring.open_owner(owner_id, address, lookup, keys)
        owner = await self._reserve(connection, owner)
        await store.insert_address(connection, owner)
        return owner

    async def _reserve(self, connection: AsyncConnection, owner: Owner) -> Owner:
        if await store.reserve_seals(connection, owner, _RESERVED_AT_ONCE) > MOST_SEALS:
            owner = await self._renew(connection, owner)
            await store.reserve_seals(connection, owner, _RESERVED_AT_ONCE)
        owner.sealer.grant(_RESERVED_AT_ONCE)
        return owner

    async def _renew(self, connection: AsyncConnection, owner: Owner) -> Owner:
        await self._follow_rotation(connection)
        lookup = self._keyring.lookup(owner.address)
        key = self._keyring.new_key(lookup, KeyPurpose.SEALING, owner.sealer.key_id + 1)
        await store.insert_key(connection, owner.id, key)
        found = await store.find(connection, lookup)
        if found is None:
            raise LookupError("an owner vanished within a transaction")
        return self._keyring.open_owner(owner.id, owner.address, lookup, found.keys)

    async def _follow_rotation(self, connection: AsyncConnection) -> None:
        """See to it that no key is wrapped under a master key that a rotation has left behind."""
        row = await vault.hold(connection)
        if row is None:
            raise LookupError("the database lost its vault")
        self._keyring.follow(row.master)
