"""What was said in a session, kept in memory to be archived when it is over (XEP-0241)."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from esession.errors import MalformedError
from esession.negotiation.terms import Terms
from esession.policy import MAY
from esession.wire.xep_0187 import read_created
from stanzavault_client.archive import ArchivedMessage

_BODY: Final = "{jabber:client}body"
_MESSAGE: Final = "{jabber:client}message"


def may_be_kept(terms: Terms | None) -> bool:
    """Whether the negotiated logging lets messages be kept: silence is no permission."""
    return terms is not None and terms.logging == MAY


class Transcript:
    """Messages with a body, in their order; none of them while the terms forbid to keep any."""

    def __init__(self) -> None:
        self.messages: list[ArchivedMessage] = []

    def add(self, stanza: ET.Element, terms: Terms | None, now: datetime, *, incoming: bool) -> None:
        """Keep a message if it has a body, and if it may be kept at this moment.

        Args:
            stanza: decrypted, or not encrypted yet.
            terms: those in force.
            now: when it passed.
            incoming: whether it came from the peer.
        """
        body = stanza.findtext(_BODY)
        if stanza.tag == _MESSAGE and body and may_be_kept(terms):
            self.messages.append(ArchivedMessage(body, _made(stanza) or now, incoming))

    def forget(self) -> None:
        """Let go of everything."""
        self.messages.clear()


def _made(stanza: ET.Element) -> datetime | None:
    """When the sender says that it was made, as messages in offline sessions do (XEP-0187 section 4)."""
    try:
        return read_created(stanza)
    except MalformedError:
        return None
