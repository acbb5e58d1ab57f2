"""Starting a session with someone who has left (XEP-0187 section 3.3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from xml.etree import ElementTree as ET

from esession.channel import KeyPair
from esession.errors import MisuseError, OptionsError, RefusedError
from esession.events import Outcome
from esession.keys import bare
from esession.lifecycle import require_aware
from esession.negotiation import responder
from esession.negotiation.established import Established, Party, make_channel
from esession.negotiation.handshake import Step
from esession.negotiation.terms import choose_suite, choose_terms
from esession.offline.options import OfferedOptions
from esession.secret import Secret
from esession.session import Session
from esession.state import Input
from esession.suite import NO_REKEYING
from esession.wire import xep_0187


def start(
    party: Party,
    peer: str,
    options: OfferedOptions,
    now: datetime,
    *,
    content: ET.Element | None = None,
    one_shot: bool = False,
    thread: str | None = None,
) -> tuple[Session, Outcome]:
    """Start a session with verified options. The peer must not have an open session with us.

    Terminate it as soon as the peer comes online (XEP-0187 section 5).

    Args:
        party: Our side; needs a signing key.
        peer: The peer's JID.
        options: What `verify` gave.
        now: The present time.
        content: A first message to encrypt into the same stanza.
        one_shot: End the session with this stanza.
        thread: The thread; drawn if None.

    Raises:
        OptionsError: They have expired, or offer nothing acceptable.
        MisuseError: We have no signing key, or a single stanza has no content.
    """
    require_aware(now)
    if party.signer is None:
        raise MisuseError("an offline session needs a signing key")
    if one_shot and content is None:
        raise MisuseError("a single stanza needs content")
    if now >= options.expires:
        raise OptionsError("the options have expired")
    request = options.request
    try:
        suite = choose_suite(party.policy, request, can_sign=True, knows_peer=True, offline=True)
        terms = choose_terms(party.policy, request.form, security="e2e")
        answered, form = responder.prepare(party, request, suite, terms, terminate=one_shot, offline=True)
        proved, form = responder.prove(party, answered, form)
    except RefusedError as error:
        raise OptionsError(f"the options can't be used: {error}") from None
    if proved.keys is None or proved.after is None:
        raise MisuseError("the response proved no identity")
    ours, theirs = proved.keys
    # Nothing is ever received and no keys are exchanged, so no exponent stays.
    proved.pair.exponent.wipe()
    silent = replace(suite, rekey_freq=NO_REKEYING)
    channel = make_channel(silent, (ours, proved.after), (theirs, proved.after), KeyPair(Secret(b"\0"), 0), 0)
    resource = options.match_resource
    session = Session(
        party,
        f"{bare(peer)}/{resource}" if resource else bare(peer),
        thread or party.random(16).hex(),
        rule=xep_0187.resource_rule() if resource else None,
    )
    on = Input.OPEN_ONE_SHOT if one_shot else Input.OPEN_OFFLINE
    established = Established(channel, terms, options.signer)
    return session, session.take(Step(on, form, established=established, init=True, content=content), now)
