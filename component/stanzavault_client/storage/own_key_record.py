"""An own key as a record: for the store's file, and for its way to a second device."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from esession.crypto import SigningKey
from stanzavault.keys.stanza.xep_0189 import parse_public_key, render_public_key
from stanzavault_client.storage.model import OwnKey


def write(key: OwnKey) -> dict[str, Any]:
    """A record, which is secret: it holds the private key."""
    return {
        "private": base64.b64encode(key.private.dump().reveal()).decode(),
        "public": ET.tostring(render_public_key(key.public), "unicode"),
        "item_id": key.item_id,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }


def read(record: dict[str, Any]) -> OwnKey:
    """What `write` wrote.

    Raises:
        ValueError: the halves do not belong together.
        KeyError: something is missing.
        ESessionError: it holds no private key.
        StanzaError: it holds no public key.
    """
    private = SigningKey.load(base64.b64decode(record["private"]))
    public = parse_public_key(ET.fromstring(record["public"]))
    if private.public_numbers() != (public.key.modulus, public.key.exponent):
        raise ValueError("a private key stands beside a public one that is not its own")
    revoked_at = record["revoked_at"]
    return OwnKey(
        private, public, record["item_id"], datetime.fromisoformat(revoked_at) if revoked_at else None
    )
