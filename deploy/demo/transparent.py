"""A keyring that seals nothing, so that the demo can show what sealing hides. The vault itself has none."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from stanzavault.kernel.address import Address
from stanzavault.kernel.ports import KeyPurpose, Keyring, Owner, WrappedKey

_ONE_KEY = b"transparent"


class _Transparent:
    """Stands for sealer, index and keyring."""

    key_id = 1
    budget = 2**40

    def grant(self, seals: int) -> None:
        """There is no bound."""

    def seal(self, _associated: bytes, content: bytes) -> bytes:
        """The content, as it is."""
        return content

    def open(self, _key_id: int, _associated: bytes, sealed: bytes) -> bytes:
        """The same again."""
        return sealed

    def of(self, purpose: str, value: str) -> bytes:
        """The value, as it is."""
        return f"{purpose} {value}".encode()

    def lookup(self, address: Address) -> bytes:
        """The address, as it is."""
        return str(address.bare).encode()

    def follow(self, master: bytes) -> None:
        """There is no master key."""

    def new_key(self, _lookup: bytes, purpose: KeyPurpose, version: int) -> WrappedKey:
        """No key at all."""
        return WrappedKey(purpose, version, _ONE_KEY, b"")

    def rewrap(self, _lookup: bytes, key: WrappedKey) -> WrappedKey:
        """The same again."""
        return key

    def open_owner(
        self, owner_id: int, address: Address, _lookup: bytes, _keys: Sequence[WrappedKey]
    ) -> Owner:
        """An owner who seals nothing."""
        return Owner(owner_id, address, self, self)


async def open_transparent_keyring(_engine: AsyncEngine) -> Keyring:
    """For `stanzavault.app.run_vault`."""
    return _Transparent()
