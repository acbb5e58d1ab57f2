"""The node of an account's public keys (XEP-0189, section 2)."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import NotAcceptable
from stanzavault.keys.kinds.kind import Admitted, Evidence, NodeKind
from stanzavault.keys.model.node import CURRENT, About
from stanzavault.keys.rules.soundness import check_public_key
from stanzavault.keys.stanza.xep_0189 import PUBKEY, PUBLIC_KEY_TAG, parse_public_key, render_public_key


async def admit(payload: Element, evidence: Evidence) -> Admitted:
    """Verify a key.

    Raises:
        BadRequest: it is not of its schema.
        NotAcceptable: it should not be published, or was revoked.
    """
    key = parse_public_key(payload)
    check_public_key(key, evidence.account, evidence.policy.least_bits, evidence.now)
    if await evidence.is_revoked(key.key):
        raise NotAcceptable("You revoked this key: publish another.")
    about = About(
        key=key.key.text,
        fingerprint=key.fingerprint.digest.hex(),
        end=key.end.instant,
    )
    return Admitted(render_public_key(key), about)


PUBLIC_KEYS: Final = NodeKind(PUBKEY, frozenset({PUBLIC_KEY_TAG}), admit, sole_item=CURRENT)
