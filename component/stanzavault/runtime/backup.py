"""A consistent copy of an embedded database while the vault runs, and the way back."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from stanzavault.kernel.errors import OperatorError

_PAGES_AT_ONCE = 1000


def copy_database(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """Copy the database in `source` as it is at one instant into the new file `target`, durably.

    The copy holds what the database holds, and so no master key.

    Args:
        source: a database, in use or not.
        target: a file that is not there yet; it gets mode 0600.
        progress: told the pages copied, and how many there are.

    Raises:
        OperatorError: the source is missing or damaged, or the target exists or can't be written.
    """
    if not source.is_file():
        raise OperatorError(f"There is no database {source}.", "Look at database.url in the settings.")
    if target.exists():
        raise OperatorError(f"{target} exists already.", "Name a new file: nothing is overwritten.")
    draft = target.with_name(target.name + ".part")
    draft.unlink(missing_ok=True)
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with closing(_connect(source, "ro")) as original, closing(_connect(draft, "rw")) as copy:
            copy.execute("PRAGMA synchronous=FULL")
            original.execute("BEGIN")
            original.execute(
                "SELECT 1 FROM sqlite_schema LIMIT 1"
            )  # one snapshot: writers go on, no step begins anew
            original.backup(
                copy,
                pages=_PAGES_AT_ONCE,
                progress=lambda _status, left, total: progress(total - left, total),
            )
            copy.execute("PRAGMA journal_mode=DELETE")
            _require_intact(copy, source)
        _flush(draft)
        draft.replace(target)
        _flush(target.parent)
    except (OSError, sqlite3.Error) as error:
        draft.unlink(missing_ok=True)
        raise OperatorError(
            f"{target} could not be written: {error}", "See to room and permissions there."
        ) from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)


def _require_intact(copy: sqlite3.Connection, source: Path) -> None:
    result = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if result != "ok":
        raise OperatorError(f"{source} is damaged.", "Restore the newest backup that is not.")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
