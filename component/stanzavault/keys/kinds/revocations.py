"""The node of an account's revocations (XEP-0189, section 3)."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.keys.kinds.kind import Admitted, Evidence, NodeKind
from stanzavault.keys.model.node import About
from stanzavault.keys.rules.soundness import check_revocation
from stanzavault.keys.stanza.xep_0189 import (
    REVOCATION_TAG,
    REVOKE,
    REVOKE_TAG,
    parse_revocation,
    render_revocation,
)


async def admit(payload: Element, evidence: Evidence) -> Admitted:
    """Verify a revocation.

    Raises:
        BadRequest: it is not of its schema.
        NotAcceptable: it does not hold.
    """
    revocation = parse_revocation(payload)
    revoked = await evidence.own_key(revocation.fingerprint)
    signer = await evidence.own_key(revocation.signer_fingerprint)
    check_revocation(revocation, revoked, signer, evidence.now)
    return Admitted(render_revocation(revocation), About(key=revocation.key.text), revocation.key)


REVOCATIONS: Final = NodeKind(REVOKE, frozenset({REVOCATION_TAG, REVOKE_TAG}), admit)
