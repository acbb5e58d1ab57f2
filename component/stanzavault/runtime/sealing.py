"""Master key, data keys and blind indexes: the service's only cryptography (AES-256-GCM, HMAC-SHA-256).

A master key wraps the deployment's index key and the keys of every owner; it is never in the database.
Its text form, which is also the recovery copy, is one line: `stanzavault-master-1:` and Base32 of 32 random
bytes and a checksum. A file may hold several lines while the key is rotated: the first wraps, all open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import NotOpened, OperatorError
from stanzavault.kernel.ports import KeyPurpose, Owner, WrappedKey

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_INDEX_BYTES = 16
_CHECKSUM_BYTES = 3
_FINGERPRINT_BYTES = 8
_PREFIX = "stanzavault-master-1:"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One master key."""

    key: bytes = field(repr=False)
    fingerprint: bytes

    @staticmethod
    def new() -> MasterKey:
        """A fresh random key."""
        return MasterKey._of(secrets.token_bytes(_KEY_BYTES))

    @staticmethod
    def parse(line: str) -> MasterKey:
        """Read the text form; case, spaces and dashes within it do not matter.

        Raises:
            OperatorError: the line is not a master key, or was mistyped.
        """
        text = line.strip()
        if not text.lower().startswith(_PREFIX):
            raise OperatorError(
                "This is not a master key.", f"A master key is one line that begins with {_PREFIX}"
            )
        letters = text[len(_PREFIX) :].upper().replace("-", "").replace(" ", "")
        try:
            raw = base64.b32decode(letters)
        except ValueError:
            raw = b""
        key, checksum = raw[:_KEY_BYTES], raw[_KEY_BYTES:]
        if len(key) != _KEY_BYTES or not hmac.compare_digest(checksum, _checksum(key)):
            raise OperatorError(
                "A character of the master key is wrong or missing.", "Compare it with the recovery copy."
            )
        return MasterKey._of(key)

    @staticmethod
    def _of(key: bytes) -> MasterKey:
        digest = hashlib.sha256(b"stanzavault master key fingerprint" + key).digest()
        return MasterKey(key, digest[:_FINGERPRINT_BYTES])

    def text(self) -> str:
        """The text form: the line in the key file, and the recovery copy. Secret."""
        letters = base64.b32encode(self.key + _checksum(self.key)).decode().lower()
        return _PREFIX + "-".join(letters[start : start + 8] for start in range(0, len(letters), 8))


class MasterKeys:
    """The master keys at hand, read again when a fingerprint turns up that is not known yet.

    Args:
        read: gives the text of the key file (or variable, or command) as it is now.

    Raises:
        OperatorError: the text holds no master key.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._load()

    def _load(self) -> None:
        keys = [MasterKey.parse(line) for line in self._read().splitlines() if line.strip()]
        if not keys:
            raise OperatorError("The master key is empty.", "Restore it from its recovery copy.")
        self.current = keys[0]
        self._keys = {key.fingerprint: key for key in keys}
        self._ciphers = {key.fingerprint: AESGCM(key.key) for key in keys}

    @property
    def fingerprints(self) -> list[str]:
        """Fingerprints of the keys at hand, hexadecimal, the current one first."""
        return [fingerprint.hex() for fingerprint in self._ciphers]

    def follow(self, master: bytes) -> None:
        """Wrap under the master key with this fingerprint, whether a rotation brought it or has yet to go on.

        Raises:
            NotOpened: it is not at hand.
        """
        if master not in self._keys:
            self._load()
        if master not in self._keys:
            raise NotOpened(f"no master key {master.hex()} is at hand")
        self.current = self._keys[master]

    def wrap(self, associated: bytes, key: bytes) -> tuple[bytes, bytes]:
        """Seal a key under the current master key: its fingerprint, and the sealed key."""
        master = self.current.fingerprint
        return master, _seal(self._ciphers[master], master + associated, key)

    def unwrap(self, master: bytes, associated: bytes, wrapped: bytes) -> bytes:
        """Open what `wrap` made.

        Raises:
            NotOpened: it was changed or moved, or its master key is not at hand.
        """
        if master not in self._ciphers:
            self._load()
        cipher = self._ciphers.get(master)
        if cipher is None:
            raise NotOpened(f"no master key {master.hex()} is at hand")
        return _open(cipher, master + associated, wrapped)


class VaultKeyring:
    """The keyring of the service (see `kernel.ports.Keyring`)."""

    def __init__(self, masters: MasterKeys, index_key: bytes) -> None:
        self._masters = masters
        self._index_key = index_key

    def lookup(self, address: Address) -> bytes:
        """See `Keyring.lookup`."""
        return _blind(self._index_key, b"owner", str(address.bare))

    def follow(self, master: bytes) -> None:
        """See `Keyring.follow`."""
        self._masters.follow(master)

    def new_key(self, lookup: bytes, purpose: KeyPurpose, version: int) -> WrappedKey:
        """See `Keyring.new_key`."""
        master, wrapped = self._masters.wrap(
            _bound(lookup, purpose, version), secrets.token_bytes(_KEY_BYTES)
        )
        return WrappedKey(purpose, version, master, wrapped)

    def rewrap(self, lookup: bytes, key: WrappedKey) -> WrappedKey:
        """See `Keyring.rewrap`."""
        bound = _bound(lookup, key.purpose, key.version)
        master, wrapped = self._masters.wrap(bound, self._masters.unwrap(key.master, bound, key.wrapped))
        return WrappedKey(key.purpose, key.version, master, wrapped)

    def open_owner(self, owner_id: int, address: Address, lookup: bytes, keys: Sequence[WrappedKey]) -> Owner:
        """See `Keyring.open_owner`."""
        opened = {
            (key.purpose, key.version): self._masters.unwrap(
                key.master, _bound(lookup, key.purpose, key.version), key.wrapped
            )
            for key in keys
        }
        sealing = {
            version: key for (purpose, version), key in opened.items() if purpose == KeyPurpose.SEALING
        }
        index = opened.get((KeyPurpose.INDEX, 1))
        if index is None or not sealing:
            raise NotOpened("an owner lacks a key")
        return Owner(owner_id, address, OwnerSealer(sealing), OwnerIndex(index))


class OwnerSealer:
    """Seals under the newest data key of one owner, opens under each (see `kernel.ports.Sealer`)."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._ciphers = {version: AESGCM(key) for version, key in keys.items()}
        self.key_id = max(keys)
        self.budget = 0

    def grant(self, seals: int) -> None:
        """See `Sealer.grant`."""
        self.budget += seals

    def seal(self, associated: bytes, content: bytes) -> bytes:
        """See `Sealer.seal`.

        Raises:
            RuntimeError: more was sealed than was reserved, so the bound of the key can't be vouched for.
        """
        if self.budget <= 0:
            raise RuntimeError("a record was to be sealed beyond what was reserved of its key")
        self.budget -= 1
        return _seal(self._ciphers[self.key_id], associated, content)

    def open(self, key_id: int, associated: bytes, sealed: bytes) -> bytes:
        """See `Sealer.open`."""
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise NotOpened("a record names a data key that its owner does not have")
        return _open(cipher, associated, sealed)


class OwnerIndex:
    """Blind indexes under the index key of one owner (see `kernel.ports.Index`)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, purpose: str, value: str) -> bytes:
        """See `Index.of`."""
        return _blind(self._key, purpose.encode(), value)


def new_index_key(masters: MasterKeys) -> tuple[bytes, bytes]:
    """A fresh index key of the deployment, wrapped: the master key's fingerprint, and the sealed key."""
    return masters.wrap(_INDEX_KEY, secrets.token_bytes(_KEY_BYTES))


def open_index_key(masters: MasterKeys, master: bytes, wrapped: bytes) -> bytes:
    """The index key that `new_index_key` made.

    Raises:
        NotOpened: it was changed, or its master key is not at hand.
    """
    return masters.unwrap(master, _INDEX_KEY, wrapped)


def rewrap_index_key(masters: MasterKeys, master: bytes, wrapped: bytes) -> tuple[bytes, bytes]:
    """The same index key under the current master key."""
    return masters.wrap(_INDEX_KEY, open_index_key(masters, master, wrapped))


_INDEX_KEY = b"index key of the deployment"


def _bound(lookup: bytes, purpose: int, version: int) -> bytes:
    return b"key of an owner" + lookup + purpose.to_bytes(1, "big") + version.to_bytes(4, "big")


def _checksum(key: bytes) -> bytes:
    return hashlib.sha256(b"stanzavault master key checksum" + key).digest()[:_CHECKSUM_BYTES]


def _blind(key: bytes, purpose: bytes, value: str) -> bytes:
    message = len(purpose).to_bytes(1, "big") + purpose + value.encode("utf-8", "surrogatepass")
    return hmac.digest(key, message, "sha256")[:_INDEX_BYTES]


def _seal(cipher: AESGCM, associated: bytes, content: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, content, associated)


def _open(cipher: AESGCM, associated: bytes, sealed: bytes) -> bytes:
    if len(sealed) < _NONCE_BYTES + _TAG_BYTES:
        raise NotOpened("a sealed record is cut short")
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated)
    except InvalidTag as error:
        raise NotOpened("a record was changed, moved, or sealed under another key") from error
