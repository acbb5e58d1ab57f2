"""Opaque cursors that survive what they point to.

A cursor is a place in the order of a listing, with a tag under the owner's index key. So it needs no table, a
place stays valid when what stood there is removed, and what was never given is recognised: cursors of other
owners, of other listings, and made up ones.
"""

from __future__ import annotations

import base64
import hmac
import struct
from dataclasses import dataclass

from stanzavault.kernel.errors import ItemNotFound
from stanzavault.kernel.ports import Index

Place = tuple[int, ...]
"""The values of the columns that order a listing."""

_TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Cursors:
    """The cursors of one listing of one owner.

    Attributes:
        index: the owner's.
        listing: what is listed, such as "collections".
        columns: how many columns order it.
    """

    index: Index
    listing: str
    columns: int

    def of(self, place: Place) -> str:
        """The cursor of a place."""
        packed = struct.pack(f">{self.columns}q", *place)
        return base64.urlsafe_b64encode(packed + self._tag(place)).decode().rstrip("=")

    def place(self, cursor: str) -> Place:
        """The place that a cursor stands for.

        Raises:
            ItemNotFound: this listing never gave that cursor.
        """
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            place: Place = struct.unpack(f">{self.columns}q", raw[:-_TAG_BYTES])
        except (ValueError, struct.error):
            raise unknown_place() from None
        if not hmac.compare_digest(raw[-_TAG_BYTES:], self._tag(place)):
            raise unknown_place()
        return place

    def _tag(self, place: Place) -> bytes:
        return self.index.of("archive cursor", f"{self.listing} {place}")


def unknown_place() -> ItemNotFound:
    """The error for a page that begins where nothing of the listing ever was."""
    return ItemNotFound("The page begins at an item that this list never held: ask for the first page.")
