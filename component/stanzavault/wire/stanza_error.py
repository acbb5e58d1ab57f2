"""Stanzas as answers: results and errors (RFC 6120, section 8)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import StanzaError
from stanzavault.wire.xml import element, qualified, split

STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


def error_element(error: StanzaError, namespace: str) -> Element:
    """`<error/>` in the stanza's namespace, with its condition, its text and any application condition."""
    answer = element(qualified(namespace, "error"), {"type": error.type})
    answer.append(element(qualified(STANZAS, error.condition)))
    text = element(
        qualified(STANZAS, "text"), {"{http://www.w3.org/XML/1998/namespace}lang": "en"}, error.text
    )
    answer.append(text)
    if error.application is not None:
        answer.append(element(qualified(*error.application), {**error.attributes}))
    return answer


def answer_to(stanza: Element, type_: str, *payload: Element) -> Element:
    """The stanza that answers `stanza`: its id, and its addresses the other way round."""
    answer = element(
        stanza.tag,
        {"type": type_, "id": stanza.get("id"), "to": stanza.get("from"), "from": stanza.get("to")},
    )
    answer.extend(payload)
    return answer


def error_answer(stanza: Element, error: StanzaError) -> Element:
    """The error stanza that answers `stanza`."""
    return answer_to(stanza, "error", error_element(error, split(stanza.tag)[0]))
