"""The bounds within which requests are served."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one deployment.

    Attributes:
        stanza: bytes of a stanza that comes in.
        reply: bytes of an answer that goes out; a page is cut there, and never holds less than one entry.
        page: entries of a page.
        depth: levels of nested elements in a stanza that comes in.
        fields: fields of a data form.
    """

    stanza: int = 256 * 1024
    reply: int = 128 * 1024
    page: int = 100
    depth: int = 64
    fields: int = 256
