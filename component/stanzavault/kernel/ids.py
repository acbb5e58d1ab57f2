"""Random, opaque identifiers."""

from __future__ import annotations

import base64
import secrets

RECORD_ID_BYTES = 16


def new_record_id() -> bytes:
    """A random id of a record: 16 bytes, so that none is ever given twice."""
    return secrets.token_bytes(RECORD_ID_BYTES)


def id_text(record_id: bytes) -> str:
    """A record id as a stanza shows it: 26 characters of lower-case Base32."""
    return base64.b32encode(record_id).decode().rstrip("=").lower()


def id_bytes(text: str) -> bytes | None:
    """The record id that a stanza shows, or None where the text is none."""
    if len(text) != 26 or not text.isascii():  # 16 bytes in Base32 without padding
        return None
    try:
        return base64.b32decode(text.upper() + "======")
    except ValueError:
        return None


def new_stanza_id() -> str:
    """An id for a stanza of ours."""
    return secrets.token_hex(8)
