"""What the user of a chat is told, in words that can't steer a terminal."""

from __future__ import annotations

from esession.events import (
    CleartextReceived,
    DeliveryFailed,
    DisclosurePossible,
    EndReason,
    Event,
    IdentityPresented,
    NegotiationFailed,
    RenegotiationEnded,
    SessionActive,
    SessionEnded,
    SessionMoved,
    SharedSecretElsewhere,
    StanzaDropped,
    VerificationNeeded,
)
from stanzavault_client.cli.terminal import visible


def told(event: Event, peer: str) -> list[str]:  # noqa: C901, PLR0911, PLR0912 - a case an event
    """What the user has to be told of an event (docs/esession/events.md); warnings begin with `!`."""
    match event:
        case SessionActive(_, terms, encrypted):
            kept = " Nothing of it may be kept." if terms.logging == "mustnot" else ""
            if encrypted:
                return [f"The session with {peer} is encrypted.{kept} End it with Ctrl-D."]
            return [f"! The session with {peer} is NOT encrypted.{kept} End it with Ctrl-D."]
        case IdentityPresented(_, key, petname, verified, concerns, others):
            lines = [f"! Take care: {concern.value}." for concern in concerns]
            lines += [f"! The same key was presented by {visible(other)}." for other in others]
            if key is not None:
                known = "whose key you confirmed" if verified else "whose key nobody has confirmed"
                lines.append(f"You talk with {visible(petname or peer)}, {known}.")
            return lines
        case VerificationNeeded(sas, _, secret_lost, _):
            lines = []
            if secret_lost:
                lines.append(
                    "! The other client has lost what it shared with yours, or somebody sits between."
                )
            return [*lines, f"Compare by voice: {sas}", "Is it the same on the other side? [yes/no/later]"]
        case SharedSecretElsewhere(address):
            return [f"This client is known to you as {visible(address)}."]
        case DisclosurePossible(value):
            return [f"! What is said here may be disclosed to others (disclosure: {visible(value)})."]
        case CleartextReceived():
            return [f"! {peer} sent something in clear beside this session; it is not shown here."]
        case StanzaDropped():
            return ["! A message was tampered with or lost, and was dropped."]
        case RenegotiationEnded(accepted, _):
            return ["The terms have changed."] if accepted else []
        case SessionMoved(_, jid):
            return [f"The session goes on with {visible(jid)}."]
        case DeliveryFailed(_, condition):
            return [f"! A message of yours was not delivered ({visible(condition)})."]
        case NegotiationFailed(condition, _, _, text):
            return [f"! The negotiation failed: {visible(text or condition)}."]
        case SessionEnded(EndReason.DAMAGED, _):
            return ["! A stanza did not authenticate: somebody may have tampered. The session is over."]
        case SessionEnded(reason, text):
            return [f"The session is over: {reason.value}{f' ({visible(text)})' if text else ''}."]
        case _:
            return []
