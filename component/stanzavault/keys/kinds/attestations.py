"""The node of what others say of an account's keys (XEP-0189, section 4)."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.keys.kinds.kind import Admitted, Evidence, NodeKind
from stanzavault.keys.model.node import About
from stanzavault.keys.rules.soundness import check_attestation
from stanzavault.keys.stanza.xep_0189 import ATTEST, ATTESTATION_TAG, parse_attestation, render_attestation


async def admit(payload: Element, evidence: Evidence) -> Admitted:
    """Verify an attestation, as far as its signer's key is known.

    Raises:
        BadRequest: it is not of its schema.
        NotAcceptable: it is about no key of its publisher, or false.
    """
    attestation = parse_attestation(payload)
    attested = await evidence.own_key(attestation.fingerprint)
    signer = await evidence.key_of(attestation.signer.address.bare, attestation.signer_fingerprint)
    known = check_attestation(attestation, attested, signer, evidence.now)
    return Admitted(render_attestation(attestation), About(key=known.public_key.key.text))


ATTESTATIONS: Final = NodeKind(ATTEST, frozenset({ATTESTATION_TAG}), admit)
