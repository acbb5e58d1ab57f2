"""Notifications of the vault about an account's nodes (XEP-0060, section 7.1.2)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import JidMalformed
from stanzavault.keys.stanza.xep_0060_event import EVENT
from stanzavault.keys.stanza.xep_0189 import ATTEST, PUBKEY, REVOKE
from stanzavault.wire.xml import qualified
from stanzavault_client.keys.model import KeysChanged

_NODES = frozenset({PUBKEY, REVOKE, ATTEST})


def change_in(message: Element) -> tuple[str, KeysChanged] | None:
    """Which vault a message claims to be of, and what it tells of keys; None where it tells nothing."""
    event = message.find(qualified(EVENT, "event"))
    if event is None or len(event) != 1 or event[0].get("node") not in _NODES:
        return None
    try:
        sender = Address.parse(message.get("from", ""))
        account = sender.outside()
    except JidMalformed:
        return None
    item_ids = tuple(item.get("id", "") for item in event[0])
    return sender.domain, KeysChanged(account, event[0].get("node", ""), item_ids)
