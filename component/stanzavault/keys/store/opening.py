"""Opens sealed rows; what does not open is reported by its id and skipped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Table

from stanzavault.kernel.errors import NotOpened
from stanzavault.kernel.ids import id_text
from stanzavault.kernel.ports import Owner
from stanzavault.storage.sealed import open_row

_log = logging.getLogger("stanzavault.keys")


class Opener:
    """Opens rows of the slice.

    Args:
        count_unopened: told of each record that does not open.
    """

    def __init__(self, count_unopened: Callable[[], None] = lambda: None) -> None:
        self._count = count_unopened

    def open(self, owner: Owner, table: Table, row: Mapping[str, Any]) -> bytes | None:
        """The content of a row, None where it does not open."""
        try:
            return open_row(owner, table, row)
        except NotOpened:
            _log.error("a record does not open", extra={"record": id_text(row["id"])})
            self._count()
            return None
