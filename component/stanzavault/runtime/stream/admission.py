"""Which stanzas are served at all: a decision from the stanza alone."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from .addresses import domain_of
from .refusals import Refusal
from .writer import COMPONENT, STANZA_KINDS


class Admission:
    """Decides for one component.

    Args:
        jid: The component's domain; stanzas to it and to its subdomains are its own.
    """

    def __init__(self, jid: str) -> None:
        self._domain = domain_of(jid)
        self._subdomains = f".{self._domain}"

    def misaddressed(self, attributes: Mapping[str, str]) -> Refusal | None:
        """What is wrong with the addresses, if anything; then nobody can be answered either."""
        if domain_of(attributes.get("from", "")) is None:
            return Refusal.INVALID_FROM
        to = domain_of(attributes.get("to", ""))
        if to is None or not (to == self._domain or to.endswith(self._subdomains)):
            return Refusal.FOREIGN_TO
        return None

    def refusal_of(self, element: Element) -> Refusal | None:
        """Why a child of the stream is not served, or None if it is a stanza in good order.

        RFC 6120 section 8.2.3: an IQ has an id; a get or set has one child, a result at most one, an error
        at most what was asked and the error.
        """
        kind = STANZA_KINDS.get(element.tag)
        attributes = element.attrib
        if kind is None:
            own = element.tag.startswith(f"{{{COMPONENT}}}")
            return Refusal.UNKNOWN_STANZA if own else Refusal.FOREIGN_NAMESPACE
        refusal = self.misaddressed(attributes)
        if refusal is None and kind == "iq":
            match attributes.get("type"):
                case "get" | "set":
                    fits = len(element) == 1
                case "result":
                    fits = len(element) <= 1
                case "error":
                    fits = len(element) <= 2
                case _:
                    fits = False
            if not (fits and attributes.get("id")):
                return Refusal.MALFORMED_IQ
        return refusal


def is_response(kind: str, attributes: Mapping[str, str]) -> bool:
    """Whether an admitted stanza answers an IQ rather than asks."""
    return kind == "iq" and attributes["type"] in {"result", "error"}
