"""How an answer goes back the way that its stanza came."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import StanzaError
from stanzavault.runtime.boundary import xep_0355
from stanzavault.wire.stanza_error import answer_to, error_answer


@dataclass(frozen=True, slots=True)
class Reply:
    """The way back for the answer to one stanza.

    Attributes:
        stanza: what is answered, unwrapped.
        answerer: the address that answers where `stanza` has no `to`.
        wrapper: the IQ in which a server handed `stanza` over, None where it came by itself.
    """

    stanza: Element
    answerer: str
    wrapper: Element | None = None

    def result(self, payload: Element | None) -> Element:
        """The stanza that answers with a result, ready to send."""
        return self._enclose(answer_to(self.stanza, "result", *(() if payload is None else (payload,))))

    def error(self, error: StanzaError) -> Element:
        """The stanza that answers with an error, ready to send."""
        return self._enclose(error_answer(self.stanza, error))

    def _enclose(self, answer: Element) -> Element:
        if not answer.get("from"):
            answer.set("from", self.answerer)
        return answer if self.wrapper is None else xep_0355.wrap(answer, self.wrapper)
