"""Rows whose content is sealed, bound to every cleartext column beside it.

The associated data of a row is its table's name and each cleartext column with its value. So a row that was
moved to another owner, id or table, or had a cleartext column edited, does not open. Whoever updates a
cleartext column seals the row again. A column that is NULL is left out: so one that a migration adds later,
NULL in every older row, does not lock these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table

from stanzavault.kernel.ports import Owner

RAW = 0
"""The codec of content that is sealed as it is."""

_LENGTH_BYTES = 4


def seal_row(owner: Owner, table: Table, cleartext: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    """The values of a row of `table`.

    Args:
        owner: whose row it is.
        table: a table with `sealed_columns()`.
        cleartext: a value for every other column, `owner_id` excepted.
        content: what is sealed.

    Raises:
        KeyError: a cleartext column has no value.
    """
    row = {**cleartext, "owner_id": owner.id, "key_id": owner.sealer.key_id, "codec": RAW}
    row["sealed"] = owner.sealer.seal(_associated(table, row), content)
    return row


def open_row(owner: Owner, table: Table, row: Mapping[str, Any]) -> bytes:
    """The content of a row as selected from `table`, all columns.

    Raises:
        NotOpened: the row was changed or moved.
    """
    return owner.sealer.open(row["key_id"], _associated(table, row), row["sealed"])


def _associated(table: Table, row: Mapping[str, Any]) -> bytes:
    parts = [table.name.encode()]
    for column in table.columns:
        if column.name != "sealed" and row[column.name] is not None:
            parts += [column.name.encode(), _encoded(row[column.name])]
    return b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in parts)


def _encoded(value: object) -> bytes:
    match value:
        case bool():
            return b"i1" if value else b"i0"
        case int():
            return b"i%d" % value
        case bytes():
            return b"b" + value
        case memoryview():
            return b"b" + value.tobytes()
        case _:
            raise TypeError(f"a cleartext column holds {type(value).__name__}: use integers, bytes or NULL")
