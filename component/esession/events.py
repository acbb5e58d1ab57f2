"""What comes out of a session: effects to carry out, in their order, and events to act on or show.

What each event obliges a client to show stands in docs/esession/events.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from xml.etree import ElementTree as ET

from esession.keys import RSAPublicKey
from esession.negotiation.terms import Terms
from esession.storage import KnownKey, RetainedSecret

# --- effects ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Send this stanza."""

    stanza: ET.Element


@dataclass(frozen=True, slots=True)
class RetainSecret:
    """Keep this secret, durably, before the next effect; replace one with the same peer and value."""

    secret: RetainedSecret


@dataclass(frozen=True, slots=True)
class DestroySecret:
    """Destroy every copy of this secret (XEP-0116 sections 4.7.4 and 4.8.1)."""

    secret: RetainedSecret


@dataclass(frozen=True, slots=True)
class RememberKey:
    """Remember that this address presented this key (XEP-0116 section 7.4)."""

    key: KnownKey


@dataclass(frozen=True, slots=True)
class KeepOfflineValues:
    """Keep the private values of published options, wrapped, before these are published (XEP-0187).

    Attributes:
        record: The record's name: one for subscribers, one for all.
        wrapped: What `offline.unwrap` opens.
    """

    record: str
    wrapped: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DestroyOfflineValues:
    """Destroy the kept private values of this name (XEP-0187 section 3.4)."""

    record: str


Effect = Send | RetainSecret | DestroySecret | RememberKey | KeepOfflineValues | DestroyOfflineValues

# --- events -------------------------------------------------------------------------------------------


class EndReason(Enum):
    """Why a session has ended."""

    TERMINATED = "we terminated it"
    PEER_TERMINATED = "the peer terminated it"
    REJECTED = "the peer rejected it"
    CANCELLED = "the negotiation was cancelled"
    REFUSED = "the negotiation failed"
    DAMAGED = "a stanza failed to authenticate, or could not be read"
    REPORTED = "the peer reported an error"
    UNDELIVERED = "a stanza was not delivered, so the counters no longer agree"
    TIMED_OUT = "the peer did not answer in time"
    ONE_SHOT = "it was one stanza, sent in isolation"
    LOST = "the stream was lost, and with it what may have been under way"


class KeyConcern(Enum):
    """What about a presented key must alert the user at once (XEP-0116 section 7.4)."""

    OTHER_ADDRESS = "another address has presented the same key"
    CHANGED = "this address has presented other keys, and never this one"
    MISSING = "this address has presented keys, and now presents none"


@dataclass(frozen=True, slots=True)
class SessionRequested:
    """A peer asks for a session; nothing has been answered (XEP-0155 section 11.1)."""

    peer: str
    encrypted: bool
    offered: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """The peer has accepted with these terms, and waits for `complete` or `cancel`."""

    peer: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class SessionActive:
    """Stanzas may now be exchanged, encrypted or, where that was offered and chosen, not."""

    peer: str
    terms: Terms
    encrypted: bool


@dataclass(frozen=True, slots=True)
class IdentityPresented:
    """The peer has identified itself by a public key, or by none.

    Attributes:
        address: The peer's bare JID.
        key: The key, None where none was negotiated.
        petname: The user's own name for its owner, to be shown before any address or nickname.
        verified: Whether the user has confirmed this key.
        concerns: What must alert the user at once.
        other_addresses: The other addresses that presented the same key.
    """

    address: str
    key: RSAPublicKey | None
    petname: str | None
    verified: bool
    concerns: tuple[KeyConcern, ...]
    other_addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VerificationNeeded:
    """The short authentication strings should be compared out of band (XEP-0116 section 4.7.2).

    Attributes:
        sas: The string.
        first_contact: No retained secret of this peer was known here, or none was shared.
        secret_lost: Secrets of this peer were retained here, and the peer shares none of them.
        chain_verified: A comparison has been confirmed somewhere in the chain of sessions.
    """

    sas: str
    first_contact: bool
    secret_lost: bool
    chain_verified: bool


@dataclass(frozen=True, slots=True)
class SharedSecretElsewhere:
    """The shared retained secret belongs to another address: this client was there known as `address`."""

    address: str


@dataclass(frozen=True, slots=True)
class DisclosurePossible:
    """The negotiated value of `disclosure` is not `never` (XEP-0116 section 7.6)."""

    value: str


@dataclass(frozen=True, slots=True)
class StanzaReceived:
    """A stanza of the session.

    Attributes:
        stanza: For an encrypted one, only what was encrypted, beside the wrapper's attributes, its thread
            and an error's condition, none of which are authenticated.
        encrypted: Whether it came encrypted.
    """

    stanza: ET.Element
    encrypted: bool


@dataclass(frozen=True, slots=True)
class CleartextReceived:
    """A stanza came unencrypted though an encrypted session with its sender is active.

    Attributes:
        stanza: The stanza.
        agreed: Whether stanzas of its kind were agreed to be encrypted.
    """

    stanza: ET.Element
    agreed: bool


@dataclass(frozen=True, slots=True)
class StanzaDropped:
    """A stanza that failed to authenticate was dropped, as the caller's policy wishes."""

    text: str


@dataclass(frozen=True, slots=True)
class RepetitionIgnored:
    """An exact repetition of a stanza already taken was ignored; nothing needs to be shown."""


@dataclass(frozen=True, slots=True)
class StanzaIgnored:
    """A stanza was not for this session, or too late for it."""

    text: str


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """New keys are in use; nothing needs to be shown."""

    by_us: bool


@dataclass(frozen=True, slots=True)
class RenegotiationRequested:
    """The peer wants other terms; it waits for `answer_renegotiation`."""

    offered: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RenegotiationEnded:
    """A renegotiation is over; the terms are those now in force."""

    accepted: bool
    terms: Terms


@dataclass(frozen=True, slots=True)
class SessionMoved:
    """The session goes on with another resource of one party."""

    ours: bool
    jid: str


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """A stanza of ours came back with an error."""

    stanza: ET.Element
    condition: str


@dataclass(frozen=True, slots=True)
class NegotiationFailed:
    """A negotiation failed; both sides must forget it, and may begin anew.

    Attributes:
        condition: The stanza error's defined condition.
        fields: The form fields that it names.
        by_us: Whether we found the fault.
        text: What was wrong, where we know.
    """

    condition: str
    fields: tuple[str, ...]
    by_us: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session is over; its keys are destroyed.

    Attributes:
        reason: Why.
        text: The peer's or this library's words about it.
    """

    reason: EndReason
    text: str = ""


Event = (
    SessionRequested
    | ResponseReceived
    | SessionActive
    | IdentityPresented
    | VerificationNeeded
    | SharedSecretElsewhere
    | DisclosurePossible
    | StanzaReceived
    | CleartextReceived
    | StanzaDropped
    | RepetitionIgnored
    | StanzaIgnored
    | Rekeyed
    | RenegotiationRequested
    | RenegotiationEnded
    | SessionMoved
    | DeliveryFailed
    | NegotiationFailed
    | SessionEnded
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that one call brought about; the session's own state has already changed.

    Attributes:
        effects: To be carried out in this order, each durable before the next.
        events: To be acted on or shown.
    """

    effects: tuple[Effect, ...] = ()
    events: tuple[Event, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.effects + other.effects, self.events + other.events)

    @property
    def stanzas(self) -> tuple[ET.Element, ...]:
        """The stanzas to send."""
        return tuple(effect.stanza for effect in self.effects if isinstance(effect, Send))
