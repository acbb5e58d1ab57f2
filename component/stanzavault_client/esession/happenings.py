"""The events that this plugin gives to slixmpp's event handlers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from esession.events import (
    CleartextReceived,
    DeliveryFailed,
    DisclosurePossible,
    Event,
    IdentityPresented,
    NegotiationFailed,
    Rekeyed,
    RenegotiationEnded,
    RenegotiationRequested,
    RepetitionIgnored,
    ResponseReceived,
    SessionActive,
    SessionEnded,
    SessionMoved,
    SessionRequested,
    SharedSecretElsewhere,
    StanzaDropped,
    StanzaIgnored,
    StanzaReceived,
    VerificationNeeded,
)

if TYPE_CHECKING:
    from stanzavault_client.esession.session import EncryptedSession

NAMES: Final[dict[type[Event], str]] = {
    SessionRequested: "esession_requested",
    ResponseReceived: "esession_response",
    SessionActive: "esession_active",
    IdentityPresented: "esession_identity",
    VerificationNeeded: "esession_verification",
    SharedSecretElsewhere: "esession_known_elsewhere",
    DisclosurePossible: "esession_disclosure",
    CleartextReceived: "esession_cleartext",
    StanzaDropped: "esession_dropped",
    RepetitionIgnored: "esession_ignored",
    StanzaIgnored: "esession_ignored",
    Rekeyed: "esession_rekeyed",
    RenegotiationRequested: "esession_renegotiation_requested",
    RenegotiationEnded: "esession_renegotiated",
    SessionMoved: "esession_moved",
    DeliveryFailed: "esession_undelivered",
    NegotiationFailed: "esession_failed",
    SessionEnded: "esession_end",
}
"""The name of each event of the library; a received stanza's is `esession_message`, `_presence` or `_iq`."""


@dataclass(frozen=True, slots=True)
class Happening:
    """What a handler of one of these events is given.

    Attributes:
        session: the session that it happened in.
        event: what happened, in the library's words; docs/esession/events.md tells what each obliges to.
        stanza: slixmpp's Message, Presence or Iq, where one was received or came back; else None.
    """

    session: EncryptedSession
    event: Event
    stanza: Any = field(default=None, repr=False)


def name_of(event: Event) -> str:
    """The name under which slixmpp's handlers get an event."""
    if isinstance(event, StanzaReceived):
        return f"esession_{event.stanza.tag.rpartition('}')[2]}"
    return NAMES[type(event)]
