"""An SQLite file of sealed records: neither what they hold nor what they are about can be read from it.

A data key seals every record with AES-256-GCM, bound to the file and to the record's random id, so that none
opens in another's place or in another file. The data key itself is sealed under the passphrase's key. Visible
are the number of records, their sizes, and when the file was written. Not detected: an older copy of the file
or of a record in its own place, and a record that was deleted.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from esession import crypto
from esession.errors import DamagedError
from esession.secret import Secret
from stanzavault_client.errors import StoreInUse, StoreUnreadable, WrongPassphrase
from stanzavault_client.storage.passphrase import SALT_BYTES, Cost, derive

Record = dict[str, Any]
"""What is sealed, as JSON."""

_APPLICATION: Final = 0x535A5643  # "SZVC", by which SQLite files tell whose they are
_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE file (id BLOB NOT NULL, salt BLOB NOT NULL, rounds INTEGER NOT NULL, kibibytes INTEGER NOT NULL,
                   lanes INTEGER NOT NULL, sealed_key BLOB NOT NULL) STRICT;
CREATE TABLE record (id BLOB PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""


class SealedFile:
    """Records by their kind and name, kept in memory and, sealed, in the file.

    Build it with `open`.
    """

    def __init__(self, connection: sqlite3.Connection, file_id: bytes, key: Secret) -> None:
        self._connection = connection
        self._file_id = file_id
        self._key = key
        self._records: dict[tuple[str, str], tuple[bytes, Record]] = {}

    @classmethod
    def open(cls, path: Path, passphrase: str, cost: Cost) -> SealedFile:
        """Open a file, or make it where there is none; nobody else may open it until it is closed.

        Args:
            path: where it lies; a new one is readable by its owner only.
            passphrase: opens it.
            cost: of one guess, for a new file.

        Raises:
            WrongPassphrase: it does not open.
            StoreInUse: another program has it open.
            StoreUnreadable: it is damaged, or something else.
            OSError: it can't be made or read.
        """
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        path.open("rb").close()  # what SQLite would say of a file that may not be read tells less
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
        try:
            return cls._open(connection, passphrase, cost)
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise StoreInUse(f"Another program has {path} open: end it first.") from error
            raise StoreUnreadable(f"{path} can't be used: {error}") from error
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            connection.close()
            raise StoreUnreadable(f"{path} is damaged, or no store of this program.") from error
        except BaseException:
            connection.close()
            raise

    @classmethod
    def _open(cls, connection: sqlite3.Connection, passphrase: str, cost: Cost) -> SealedFile:
        for pragma in ("locking_mode = EXCLUSIVE", "secure_delete = ON", "synchronous = EXTRA"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN EXCLUSIVE")
        if not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
            made = cls._make(connection, passphrase, cost)
            connection.execute("COMMIT")
            return made
        connection.execute("COMMIT")
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if (application, version) != (_APPLICATION, _VERSION):
            raise ValueError("a file of another program, or of a newer version of this one")
        ((file_id, salt, *costs, sealed_key),) = connection.execute("SELECT * FROM file")
        kept = Cost(*costs)
        try:
            key = crypto.unseal(derive(passphrase, salt, kept).reveal(), sealed_key, _bound(file_id, kept))
        except DamagedError:
            raise WrongPassphrase("The store does not open with this passphrase.") from None
        opened = cls(connection, file_id, Secret(key))
        opened._load()
        return opened

    @classmethod
    def _make(cls, connection: sqlite3.Connection, passphrase: str, cost: Cost) -> SealedFile:
        file_id, salt, key = (secrets.token_bytes(size) for size in (16, SALT_BYTES, 32))
        sealed = crypto.seal(
            derive(passphrase, salt, cost).reveal(), key, _bound(file_id, cost), secrets.token_bytes
        )
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        values = (file_id, salt, cost.rounds, cost.kibibytes, cost.lanes, sealed)
        connection.execute("INSERT INTO file VALUES (?, ?, ?, ?, ?, ?)", values)
        return cls(connection, file_id, Secret(key))

    def all(self, kind: str) -> list[Record]:
        """Every record of a kind, the oldest name first."""
        return [record for (kind_, _), (_, record) in self._records.items() if kind_ == kind]

    def put(self, kind: str, name: str, record: Record) -> None:
        """Keep a record in the place of the one of that kind and name; durable when this returns."""
        known = self._records.get((kind, name))
        id_ = known[0] if known else secrets.token_bytes(16)
        content = json.dumps({"kind": kind, "name": name, "number": self._number(kind, name), **record})
        sealed = crypto.seal(self._key.reveal(), content.encode(), self._file_id + id_, secrets.token_bytes)
        self._connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?)", (id_, sealed))
        self._records[kind, name] = id_, json.loads(content)

    def remove(self, kind: str, name: str) -> None:
        """Forget a record, where there is one, in the file as well."""
        known = self._records.pop((kind, name), None)
        if known is not None:
            self._connection.execute("DELETE FROM record WHERE id = ?", (known[0],))

    def close(self) -> None:
        """Let others open it, and forget the key."""
        self._connection.close()
        self._key.wipe()

    def _number(self, kind: str, name: str) -> int:
        """A record's place in the order in which their names came up."""
        known = self._records.get((kind, name))
        if known:
            return int(known[1]["number"])
        return 1 + max((record["number"] for _, record in self._records.values()), default=0)

    def _load(self) -> None:
        opened = []
        for id_, sealed in self._connection.execute("SELECT id, sealed FROM record"):
            try:
                content = crypto.unseal(self._key.reveal(), sealed, self._file_id + id_)
            except DamagedError:
                raise ValueError("a record does not open") from None
            opened.append((id_, json.loads(content)))
        for id_, record in sorted(opened, key=lambda each: int(each[1]["number"])):
            self._records[record["kind"], record["name"]] = id_, record


def _bound(file_id: bytes, cost: Cost) -> bytes:
    return b"data key of a store\n" + cost.text.encode() + b"\n" + file_id
