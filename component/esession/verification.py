"""What a finished negotiation means for trust: events to show, and what to remember (XEP-0116 section 7)."""

from __future__ import annotations

from datetime import datetime

from esession.errors import FEATURE_NOT_IMPLEMENTED, RefusedError
from esession.events import (
    DestroySecret,
    DisclosurePossible,
    Effect,
    Event,
    IdentityPresented,
    KeyConcern,
    RememberKey,
    RetainSecret,
    SharedSecretElsewhere,
    VerificationNeeded,
)
from esession.keys import RSAPublicKey, bare
from esession.negotiation.established import Established, Party
from esession.storage import KnownKey, RetainedSecret


def assess_key(party: Party, peer: str, key: RSAPublicKey | None) -> IdentityPresented:
    """Compare a presented key with those known (XEP-0116 section 7.4, Key Associations).

    Args:
        party: Our side.
        peer: The peer's JID.
        key: What it presented, None for nothing.
    """
    address = bare(peer)
    own = party.known.of(address)
    concerns: list[KeyConcern] = []
    if key is None:
        if own:
            concerns.append(KeyConcern.MISSING)
        return IdentityPresented(
            address, None, None, verified=False, concerns=tuple(concerns), other_addresses=()
        )
    same = [each for each in party.known.all() if each.key == key]
    others = tuple(sorted({each.address for each in same} - {address}))
    if others and all(each.key != key for each in own):
        concerns.append(KeyConcern.OTHER_ADDRESS)
    if own and all(each.key != key for each in own):
        concerns.append(KeyConcern.CHANGED)
    petname = next((each.petname for each in same if each.petname), None)
    # A key that was confirmed for one address says nothing about who uses another one.
    verified = any(each.verified for each in own if each.key == key)
    return IdentityPresented(address, key, petname, verified, tuple(concerns), others)


def require_acceptable(party: Party, presented: IdentityPresented) -> None:
    """Refuse an unverified key where the policy wishes so (XEP-0116 section 4.6.2, last step).

    Raises:
        RefusedError: The policy accepts only verified keys.
    """
    if presented.key is not None and not presented.verified and not party.policy.accept_unverified_keys:
        raise RefusedError(FEATURE_NOT_IMPLEMENTED, ("identity",), "the peer's key has not been verified")


def outcome_of(
    party: Party, peer: str, established: Established, presented: IdentityPresented, now: datetime
) -> tuple[list[Effect], list[Event], RetainedSecret | None]:
    """What to remember, and what to show, now that a session is established.

    Returns:
        Effects, events, and the secret retained from this session.
    """
    effects: list[Effect] = []
    events: list[Event] = [presented]
    if presented.key is not None and all(
        each.key != presented.key for each in party.known.of(presented.address)
    ):
        effects.append(RememberKey(KnownKey(presented.address, presented.key, petname=presented.petname)))
    retained = _retain(party, peer, established, now, effects)
    shared = established.shared
    if shared is not None and shared.peer != bare(peer):
        events.append(SharedSecretElsewhere(shared.peer))
    chain_verified = shared is not None and shared.verified
    if established.sas is not None and not chain_verified and not presented.verified:
        events.append(
            VerificationNeeded(
                established.sas,
                first_contact=shared is None,
                secret_lost=shared is None and established.had_secrets,
                chain_verified=False,
            )
        )
    disclosure = established.terms.disclosure
    if disclosure not in {None, "never"}:
        events.append(DisclosurePossible(str(disclosure)))
    return effects, events, retained


def _retain(
    party: Party, peer: str, established: Established, now: datetime, effects: list[Effect]
) -> RetainedSecret | None:
    """Retain the new secret before the old ones are destroyed, so that a crash loses neither."""
    retained = None
    if established.new_secret is not None and party.policy.retain_secrets_for:
        verified = established.shared is not None and established.shared.verified
        retained = RetainedSecret(bare(peer), established.new_secret, now, verified)
        effects.append(RetainSecret(retained))
    if established.shared is not None:
        effects.append(DestroySecret(established.shared))
    effects.extend(DestroySecret(each) for each in party.expired_secrets(peer, now))
    return retained
