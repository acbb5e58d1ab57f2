"""An item of a node's history: what was published, and what became of it (docs/decisions/keys-history.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import BadRequest
from stanzavault.wire import xep_0082
from stanzavault.wire.xml import element, only_known, qualified, required

HISTORY: Final = "urn:stanzavault:history:0"
RECORD: Final = qualified(HISTORY, "record")

_TIMES = ("published", "replaced", "retracted", "revoked")


@dataclass(frozen=True, slots=True)
class Entry:
    """`<record/>`.

    Attributes:
        item_id: the id that the item had in its node.
        payload: what was published.
        published: when it was published.
        replaced: when another item took its id.
        retracted: when it was retracted.
        revoked: when the revocation of the key that it publishes was published.
        attestation: of an attestation, what the vault knows: "verified", "unverified" or "refuted".
    """

    item_id: str
    payload: Element = field(repr=False, compare=False)
    published: datetime
    replaced: datetime | None = None
    retracted: datetime | None = None
    revoked: datetime | None = None
    attestation: str | None = None


def render(entry: Entry) -> Element:
    """Write `<record/>`."""
    times = {name: getattr(entry, name) for name in _TIMES}
    written = {name: None if time is None else xep_0082.render(time) for name, time in times.items()}
    tree = element(RECORD, {"item": entry.item_id, **written, "attestation": entry.attestation})
    tree.append(entry.payload)
    return tree


def parse(tree: Element) -> Entry:
    """Read `<record/>`, as clients do.

    Raises:
        BadRequest: it is not of its schema.
    """
    if tree.tag != RECORD or len(tree) != 1:
        raise BadRequest("<record/> holds one payload.")
    only_known(tree, attributes=["item", *_TIMES, "attestation"], children=[tree[0].tag])
    required(tree, "published")
    times = {
        name: xep_0082.parse(text, f"'{name}'") for name in _TIMES if (text := tree.get(name)) is not None
    }
    return Entry(required(tree, "item"), tree[0], **times, attestation=tree.get("attestation"))
