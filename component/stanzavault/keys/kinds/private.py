"""Nodes that only their owner reads (XEP-0223), for what its client sealed before."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.keys.kinds.kind import Admitted, Evidence, NodeKind

RECOVERY: Final = "urn:stanzavault:recovery:0"
"""The node of an account's archive key, sealed under a recovery code."""


async def admit(payload: Element, evidence: Evidence) -> Admitted:  # noqa: ARG001 - there is nothing to verify
    """Take a payload as it is: the vault can't read what it is."""
    return Admitted(payload)


def private(name: str) -> NodeKind:
    """A node of that name: whatever is replaced or retracted is gone."""
    return NodeKind(name, frozenset(), admit, keeps_history=False, owner_only=True)


RECOVERY_KEY: Final = private(RECOVERY)
