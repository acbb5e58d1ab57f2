"""Questions that only the session itself answers well (XEP-0199, XEP-0030), and what an answer proves."""

from __future__ import annotations

from enum import Enum
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import JidMalformed
from stanzavault.kernel.ids import new_stanza_id
from stanzavault.wire.stanza_error import STANZAS
from stanzavault.wire.xml import element, qualified, split

PING = qualified("urn:xmpp:ping", "ping")
DISCO_INFO = qualified("http://jabber.org/protocol/disco#info", "query")

QUESTIONS = (PING, DISCO_INFO)
"""Asked in this order, the next where the answer to the one before proves nothing."""


class Proof(Enum):
    """What an answer tells of the session that was asked."""

    THERE = "there"
    UNCLEAR = "unclear"
    GONE = "gone"


def question(payload: str, component: Address, resource: Address) -> Element:
    """An IQ to a session; `payload` is one of `QUESTIONS`."""
    iq = element(
        "{jabber:component:accept}iq",
        {"type": "get", "id": new_stanza_id(), "from": str(component), "to": str(resource)},
    )
    iq.append(element(payload))
    return iq


def proof(answer: Element, resource: Address) -> Proof:
    """What an answer proves.

    A result, and the error `feature-not-implemented`, come from the session alone. `service-unavailable`
    comes from a session that does not know the request (RFC 6120, section 8.4) and from a server that does
    not know the session (RFC 6121, section 8.5.3.2.3). Any other error comes from somebody on the way.
    """
    try:
        if Address.parse(answer.get("from", "")) != resource:
            return Proof.GONE
    except JidMalformed:
        return Proof.GONE
    if answer.get("type") == "result":
        return Proof.THERE
    conditions = {
        split(part.tag)[1] for error in answer for part in error if split(part.tag)[0] == STANZAS
    }  # fmt: skip
    if "feature-not-implemented" in conditions:
        return Proof.THERE
    return Proof.UNCLEAR if "service-unavailable" in conditions else Proof.GONE
