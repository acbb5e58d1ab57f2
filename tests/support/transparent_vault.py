"""Runs a vault that seals nothing, so that a search through its database can be seen to find things.

python transparent_vault.py SETTINGS
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from stanzavault.app import run_vault
from stanzavault.config import load_settings
from stanzavault.kernel.address import Address
from stanzavault.kernel.ports import KeyPurpose, Keyring, Owner, WrappedKey

_MASTER = b"no-master"


class TransparentSealer:
    """Keeps content as it is."""

    key_id = 1
    budget = 2**62

    def grant(self, seals: int) -> None:
        """Nothing is sealed, so nothing is counted."""

    def seal(self, associated: bytes, content: bytes) -> bytes:
        """The content itself."""
        return content

    def open(self, key_id: int, associated: bytes, sealed: bytes) -> bytes:
        """The content itself."""
        return sealed


class TransparentIndex:
    """Finds values by themselves."""

    def of(self, purpose: str, value: str) -> bytes:
        """The value itself."""
        return f"{purpose}:{value}".encode()


class TransparentKeyring:
    """Wraps keys in nothing (see `stanzavault.kernel.ports.Keyring`)."""

    def lookup(self, address: Address) -> bytes:
        """The address itself."""
        return str(address.bare).encode()

    def follow(self, master: bytes) -> None:
        """There is no master key."""

    def new_key(self, lookup: bytes, purpose: KeyPurpose, version: int) -> WrappedKey:
        """A fresh random key, for everybody to read."""
        return WrappedKey(purpose, version, _MASTER, secrets.token_bytes(32))

    def rewrap(self, lookup: bytes, key: WrappedKey) -> WrappedKey:
        """The same key."""
        return key

    def open_owner(self, owner_id: int, address: Address, lookup: bytes, keys: Sequence[WrappedKey]) -> Owner:
        """An owner that seals nothing."""
        return Owner(owner_id, address, TransparentSealer(), TransparentIndex())


async def _open(_engine: AsyncEngine) -> Keyring:
    return TransparentKeyring()


async def _serve(file: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_vault(load_settings(file), stop, open_keyring=_open)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
