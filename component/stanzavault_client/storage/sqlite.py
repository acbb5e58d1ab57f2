"""The store in a file of its own, sealed under a passphrase."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from esession.keys import RSAPublicKey
from esession.secret import Secret
from esession.storage import KnownKey, RetainedSecret
from stanzavault_client.storage import own_key_record
from stanzavault_client.storage.model import OwnKey, RememberedKey
from stanzavault_client.storage.passphrase import Cost
from stanzavault_client.storage.sealed_file import Record, SealedFile

_OWN_KEY: Final = "own key"
_KNOWN_KEY: Final = "known key"
_OFFLINE_KEY: Final = "offline key"
_OFFLINE_KEY_BYTES: Final = 32
_OFFLINE_VALUES: Final = "offline values"
_SECRET: Final = "retained secret"  # noqa: S105 - the kind of a record


class SQLiteStore:
    """A `Store` in an SQLite file. Use it as a context manager, or close it."""

    def __init__(self, file: SealedFile) -> None:
        self._file = file
        self.own_keys = _OwnKeys(file)
        self.known_keys = _KeyMemory(file)
        self.retained_secrets = _SecretMemory(file)
        self.offline_values = _OfflineMemory(file)

    @classmethod
    def open(cls, path: Path | str, passphrase: str, *, cost: Cost | None = None) -> Self:
        """Open the file, or make it where there is none. It takes about a tenth of a second, on purpose.

        Args:
            path: where it lies.
            passphrase: opens it.
            cost: of one guess, for a new file.

        Raises:
            WrongPassphrase: it does not open.
            StoreInUse: another program has it open.
            StoreUnreadable: it is damaged, or something else.
            OSError: it can't be made or read.
        """
        return cls(SealedFile.open(Path(path), passphrase, cost or Cost()))

    def close(self) -> None:
        """Let other programs open it."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _OwnKeys:
    def __init__(self, file: SealedFile) -> None:
        self._file = file
        self._keys = {key.fingerprint: key for key in map(own_key_record.read, file.all(_OWN_KEY))}

    def of(self, account: str) -> Sequence[OwnKey]:
        return [key for key in self._keys.values() if str(key.public.owner.address) == account]

    def put(self, key: OwnKey) -> None:
        self._file.put(_OWN_KEY, key.fingerprint, own_key_record.write(key))
        self._keys[key.fingerprint] = key


class _KeyMemory:
    def __init__(self, file: SealedFile) -> None:
        self._file = file
        self.for_sessions = _ForSessions(self)

    def of(self, account: str) -> Sequence[RememberedKey]:
        return [key for key in self.all() if key.account == account]

    def all(self) -> list[RememberedKey]:
        return [_read_remembered(record) for record in self._file.all(_KNOWN_KEY)]

    def put(self, key: RememberedKey) -> None:
        information = key.key.subject_public_key_info()
        name = f"{hashlib.sha256(information).hexdigest()} {key.account}"
        self._file.put(
            _KNOWN_KEY,
            name,
            {
                "account": key.account,
                "key": base64.b64encode(information).decode(),
                "first_seen": key.first_seen.isoformat(),
                "confirmed": key.confirmed,
                "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
                "petname": key.petname,
            },
        )


class _ForSessions:
    """See `esession.storage.KnownKeys`."""

    def __init__(self, memory: _KeyMemory) -> None:
        self._memory = memory

    def of(self, address: str) -> Sequence[KnownKey]:
        return [key for key in self.all() if key.address == address]

    def all(self) -> Sequence[KnownKey]:
        return [
            KnownKey(key.account, key.key, key.confirmed, key.petname)
            for key in self._memory.all()
            if key.revoked_at is None
        ]


class _SecretMemory:
    def __init__(self, file: SealedFile) -> None:
        self._file = file

    def of(self, peer: str) -> Sequence[RetainedSecret]:
        return [secret for secret in self._all() if secret.peer == peer]

    def others(self, peer: str) -> Sequence[RetainedSecret]:
        return [secret for secret in self._all() if secret.peer != peer]

    def put(self, secret: RetainedSecret) -> None:
        self._file.put(
            _SECRET,
            _name_of(secret),
            {
                "peer": secret.peer,
                "value": base64.b64encode(secret.value.reveal()).decode(),
                "made": secret.made.isoformat(),
                "verified": secret.verified,
            },
        )

    def destroy(self, secret: RetainedSecret) -> None:
        self._file.remove(_SECRET, _name_of(secret))

    def _all(self) -> list[RetainedSecret]:
        return [
            RetainedSecret(
                record["peer"],
                Secret(base64.b64decode(record["value"])),
                datetime.fromisoformat(record["made"]),
                record["verified"],
            )
            for record in self._file.all(_SECRET)
        ]


class _OfflineMemory:
    def __init__(self, file: SealedFile) -> None:
        self._file = file

    @property
    def key(self) -> bytes:
        if not self._file.all(_OFFLINE_KEY):
            # The file seals it like the values themselves; it is made when it is first needed.
            made = base64.b64encode(secrets.token_bytes(_OFFLINE_KEY_BYTES)).decode()
            self._file.put(_OFFLINE_KEY, "", {"key": made})
        return base64.b64decode(self._file.all(_OFFLINE_KEY)[0]["key"])

    def all(self) -> Mapping[str, bytes]:
        records = self._file.all(_OFFLINE_VALUES)
        return {record["record"]: base64.b64decode(record["wrapped"]) for record in records}

    def put(self, record: str, wrapped: bytes) -> None:
        values = {"record": record, "wrapped": base64.b64encode(wrapped).decode()}
        self._file.put(_OFFLINE_VALUES, record, values)

    def destroy(self, record: str) -> None:
        self._file.remove(_OFFLINE_VALUES, record)


def _name_of(secret: RetainedSecret) -> str:
    return f"{hashlib.sha256(secret.value.reveal()).hexdigest()} {secret.peer}"


def _read_remembered(record: Record) -> RememberedKey:
    revoked_at = record["revoked_at"]
    return RememberedKey(
        record["account"],
        RSAPublicKey.from_subject_public_key_info(base64.b64decode(record["key"])),
        datetime.fromisoformat(record["first_seen"]),
        record["confirmed"],
        datetime.fromisoformat(revoked_at) if revoked_at else None,
        record["petname"],
    )
