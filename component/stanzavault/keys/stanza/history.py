"""An item of a node's history: what was published, and what became of it (docs/decisions/keys-history.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.keys.model.node import Record, State
from stanzavault.wire.xep_0082 import render as render_time
from stanzavault.wire.xml import element, qualified

HISTORY: Final = "urn:stanzavault:history:0"
RECORD: Final = qualified(HISTORY, "record")


def render(record: Record, mark: str | None) -> Element:
    """`<record/>` around the payload; `mark` is what is known of an attestation."""
    tree = element(
        RECORD,
        {
            "item": record.item_id,
            "published": render_time(record.published_at),
            "replaced": _time(record.ended_at if record.state is State.REPLACED else None),
            "retracted": _time(record.ended_at if record.state is State.RETRACTED else None),
            "revoked": _time(record.revoked_at),
            "attestation": mark,
        },
    )
    tree.append(record.payload)
    return tree


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else render_time(instant)
