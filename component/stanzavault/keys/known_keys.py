"""The keys that the vault knows, and who vouches for them."""

from __future__ import annotations

from collections.abc import Sequence

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import NotOpened
from stanzavault.kernel.ports import Owner, PublishedKey
from stanzavault.keys.model.node import Record
from stanzavault.keys.model.public_key import Attestation, Fingerprint, PublicKey, RsaKey
from stanzavault.keys.rules.access import may_read
from stanzavault.keys.rules.soundness import KnownKey, Mark, mark
from stanzavault.keys.stanza.xep_0189 import ATTEST, PUBKEY, REVOKE, parse_attestation, parse_public_key
from stanzavault.keys.store import Stores
from stanzavault.storage.unit import Database, Unit


class KnownKeys:
    """Looks keys up within a unit of work.

    Args:
        unit: within which all is found.
        stores: of the slice.
        account: whose keys are looked up.
    """

    def __init__(self, unit: Unit, stores: Stores, account: Address) -> None:
        self._unit = unit
        self._stores = stores
        self._account = account
        self._found: dict[tuple[Address, bytes], KnownKey | None] = {}

    async def own_key(self, fingerprint: Fingerprint) -> KnownKey | None:
        """The account's key with that fingerprint, past ones included."""
        return await self.key_of(self._account, fingerprint)

    async def key_of(self, signer: Address, fingerprint: Fingerprint) -> KnownKey | None:
        """The key of `signer` with that fingerprint, where the vault has it and the account may read it."""
        asked = signer, fingerprint.digest
        if asked not in self._found:
            self._found[asked] = await self._look_up(signer, fingerprint)
        return self._found[asked]

    async def is_revoked(self, key: RsaKey) -> bool:
        """Whether the account ever revoked that key."""
        owner = await self._unit.find_owner(self._account)
        node = None if owner is None else await self._stores.nodes.find(self._unit, owner, REVOKE)
        if owner is None or node is None:
            return False
        return await self._stores.items.is_about(self._unit, owner, node, key.text)

    async def shown(self) -> Sequence[tuple[Record, PublicKey]]:
        """Keys that the account's readers are shown, in the order of publication."""
        return [(record, parse_public_key(record.payload)) for record in await self._shown(PUBKEY)]

    async def mark(self, attestation: Attestation) -> Mark:
        """What is known now of an attestation that the account publishes."""
        attested = await self.own_key(attestation.fingerprint)
        if attested is None:
            return Mark.UNVERIFIED
        signer = await self.key_of(attestation.signer.address.bare, attestation.signer_fingerprint)
        return mark(attestation, attested.public_key.key, signer)

    async def valid(self) -> Sequence[PublishedKey]:
        """Keys of the account that are valid now, the last published first."""
        attested: set[bytes] = set()
        for record in await self._shown(ATTEST):
            attestation = parse_attestation(record.payload)
            digest = attestation.fingerprint.digest
            if digest not in attested and await self.mark(attestation) is Mark.VERIFIED:
                attested.add(digest)
        return [
            PublishedKey(
                modulus=key.key.modulus,
                exponent=key.key.exponent,
                fingerprint=key.fingerprint.text,
                begin=key.begin.instant,
                end=key.end.instant,
                attested=key.fingerprint.digest in attested,
            )
            for _, key in reversed(await self.shown())
            if key.is_valid_at(self._unit.now)
        ]

    async def _shown(self, name: str) -> Sequence[Record]:
        owner = await self._unit.find_owner(self._account)
        node = None if owner is None else await self._stores.nodes.find(self._unit, owner, name)
        if owner is None or node is None:
            return ()
        return await self._stores.items.shown(self._unit, owner, node)

    async def _look_up(self, signer: Address, fingerprint: Fingerprint) -> KnownKey | None:
        try:
            owner = await self._unit.find_owner(signer)
        except NotOpened:
            if signer == self._account:
                raise
            return None  # damaged records of another account keep nobody from his own
        node = None if owner is None else await self._stores.nodes.find(self._unit, owner, PUBKEY)
        if owner is None or node is None or not may_read(node, signer, self._account, is_contact=False):
            return None
        return await self._find(owner, fingerprint)

    async def _find(self, owner: Owner, fingerprint: Fingerprint) -> KnownKey | None:
        records = await self._stores.items.with_fingerprint(self._unit, owner, fingerprint.digest.hex())
        if not records:
            return None
        revoked = [record.revoked_at for record in records if record.revoked_at is not None]
        return KnownKey(parse_public_key(records[-1].payload), min(revoked, default=None))


class PublishedKeys:
    """Tells other slices of published keys (see `kernel.ports.PublicKeys`).

    Args:
        database: where they are.
        stores: of the slice.
    """

    def __init__(self, database: Database, stores: Stores) -> None:
        self._database = database
        self._stores = stores

    async def valid_keys(self, account: Address) -> Sequence[PublishedKey]:
        """See `PublicKeys.valid_keys`."""

        async def find(unit: Unit) -> Sequence[PublishedKey]:
            return await KnownKeys(unit, self._stores, account).valid()

        return await self._database.read(account, find)
