"""Encrypted sessions negotiated by two slixmpp clients through real servers, in each variant (XEP-0116)."""

from dataclasses import replace
from pathlib import Path

import pytest

from esession import MisuseError, State
from esession.crypto import SigningKey
from esession.events import EndReason, IdentityPresented, KeyConcern, VerificationNeeded
from esession.wire.xep_0155 import ESESSION, FEATURE_NEGOTIATION, SSN
from stanzavault.kernel.clock import utc_now
from stanzavault_client.esession import EncryptedSession, SessionFailed
from stanzavault_client.storage import RememberedKey
from support.accounts import Account, new_account
from support.session_clients import QUICK_GROUPS, Pair, SessionClient, session_client
from support.xmpp_server import XmppServer

KEYS = replace(QUICK_GROUPS, init_pubkey=("key",), resp_pubkey=("key",))
THREE = replace(KEYS, messages=3, accept_three_messages=True)


async def say_hello(session: EncryptedSession, one: SessionClient, other: SessionClient) -> EncryptedSession:
    """Exchange a message in each direction; the other side's session."""
    theirs = (await other.event_of("esession_active")).session
    await session.send(body="Wherefore art thou?")
    assert (await other.event_of("esession_message")).stanza["body"] == "Wherefore art thou?"
    await theirs.send(body="Neither, fair saint")
    assert (await one.event_of("esession_message")).stanza["body"] == "Neither, fair saint"
    return theirs


async def test_four_messages_make_a_session_with_equal_strings_that_ends_on_both_sides(pair: Pair) -> None:
    one, other = await pair()
    session = await one.sessions.open(other.full_jid)
    theirs = await say_hello(session, one, other)
    assert session.encrypted
    assert session.sas == theirs.sas is not None
    assert (await one.event_of("esession_verification")).event.sas == session.sas
    assert (await session.end()).reason is EndReason.TERMINATED
    assert (await theirs.until_over()).reason is EndReason.PEER_TERMINATED
    assert not list(one.sessions)
    assert not list(other.sessions)


@pytest.mark.parametrize("resp", ["key", "hash", "none"])
@pytest.mark.parametrize("init", ["key", "hash", "none"])
async def test_each_side_identifies_itself_by_key_fingerprint_or_not_at_all(
    pair: Pair, init: str, resp: str
) -> None:
    one, other = await pair(replace(QUICK_GROUPS, init_pubkey=(init,), resp_pubkey=(resp,)))
    one.know(other)
    other.know(one)
    session = await one.sessions.open(other.full_jid)
    theirs = await say_hello(session, one, other)
    assert (session.peer_key is None) == (resp == "none")
    assert (theirs.peer_key is None) == (init == "none")
    assert session.suite is not None
    assert (session.suite.init_pubkey, session.suite.resp_pubkey) == (init, resp)


async def test_three_messages_make_a_session_between_known_keys(pair: Pair) -> None:
    one, other = await pair(THREE)
    session = await one.sessions.open(other.full_jid)
    theirs = await say_hello(session, one, other)
    assert session.sas is None
    assert session.peer_key is not None
    assert theirs.peer_key is not None


async def test_a_single_message_is_sent_in_isolation_by_three_messages(pair: Pair) -> None:
    one, other = await pair(THREE)
    message = one.make_message(mto=other.full_jid, mbody="Only this", mtype="chat")
    session = await one.sessions.open(other.full_jid, one_shot=message)
    assert (await other.event_of("esession_message")).stanza["body"] == "Only this"
    assert session.state is State.ENDED
    assert (await other.event_of("esession_end")).event.reason is EndReason.ONE_SHOT


async def test_retained_secrets_carry_a_confirmed_comparison_to_the_next_session(pair: Pair) -> None:
    one, other = await pair()
    session = await one.sessions.open(other.full_jid)
    theirs = (await other.event_of("esession_active")).session
    first = (await one.event_of("esession_verification")).event
    assert isinstance(first, VerificationNeeded)
    assert first.first_contact
    await session.confirm_sas()
    await theirs.confirm_sas()
    await session.end()
    await theirs.until_over()
    (kept,) = one.store.retained_secrets.of(other.boundjid.bare)
    assert kept.verified
    again = await one.sessions.open(other.full_jid)
    await other.event_of("esession_active", 2)
    assert again.encrypted
    assert len(one.all_of("esession_verification")) == 1
    (new,) = one.store.retained_secrets.of(other.boundjid.bare)
    assert new.value != kept.value


async def test_another_shared_secret_has_to_be_the_same_on_both_sides(pair: Pair) -> None:
    one, other = await pair()
    with pytest.raises(SessionFailed):
        await one.sessions.open(other.full_jid, other_secret=b"known to one side only")


async def test_a_peer_that_implements_only_the_subset_of_xep_0217_is_served(pair: Pair) -> None:
    one, other = await pair(QUICK_GROUPS, replace(QUICK_GROUPS, subset=True))
    session = await one.sessions.open(other.full_jid)
    await say_hello(session, one, other)
    assert session.suite is not None
    assert session.suite.is_subset


async def test_ours_can_be_a_peer_of_the_subset_of_xep_0217(pair: Pair) -> None:
    one, other = await pair(replace(QUICK_GROUPS, subset=True), QUICK_GROUPS)
    session = await one.sessions.open(other.full_jid)
    await say_hello(session, one, other)
    assert session.suite is not None
    assert session.suite.is_subset


async def test_a_session_without_encryption_stands_only_where_both_allow_it_and_says_so(pair: Pair) -> None:
    lenient = replace(QUICK_GROUPS, security=("e2e", "c2s"))
    one, other = await pair(lenient)
    other.accepts = lambda _: False
    other.add_event_handler(
        "esession_requested", lambda each: other.start(each.session.accept(unencrypted=True))
    )
    session = await one.sessions.open(other.full_jid)
    assert not session.encrypted
    assert not (await other.event_of("esession_active")).event.encrypted
    await session.send(body="in clear")
    message = await other.event_of("esession_message")
    assert message.stanza["body"] == "in clear"
    assert not message.event.encrypted


async def test_a_bare_address_gets_a_session_with_the_resource_that_answers(pair: Pair) -> None:
    one, other = await pair()
    session = await one.sessions.open(other.boundjid.bare)
    assert session.peer == other.full_jid


async def test_a_rejection_and_a_failed_offer_are_told_with_the_reason(pair: Pair) -> None:
    one, other = await pair()
    other.accepts = lambda _: False
    other.add_event_handler("esession_requested", lambda each: other.start(each.session.reject("Not now")))
    with pytest.raises(SessionFailed, match="Not now") as failure:
        await one.sessions.open(other.full_jid)
    assert failure.value.reason is EndReason.REJECTED


async def test_an_offer_that_the_peer_can_not_take_fails_with_the_condition_that_it_told(pair: Pair) -> None:
    one, other = await pair(
        replace(QUICK_GROUPS, ciphers=("aes256-ctr",)), replace(QUICK_GROUPS, ciphers=("aes128-ctr",))
    )
    with pytest.raises(SessionFailed) as failure:
        await one.sessions.open(other.full_jid)
    assert failure.value.condition == "not-acceptable"
    assert not list(one.sessions)


async def test_nothing_is_answered_before_the_application_decides(pair: Pair) -> None:
    one, other = await pair(replace(QUICK_GROUPS))
    other.accepts = lambda _: False
    opening = one.start(one.sessions.open(other.full_jid))
    requested = await other.event_of("esession_requested")
    await one.pass_through()
    assert not opening.done()
    await requested.session.accept()
    assert (await opening).encrypted


async def test_an_unreachable_peer_is_told_at_once(pair: Pair) -> None:
    one, other = await pair()
    with pytest.raises(SessionFailed) as failure:
        await one.sessions.open(f"nobody-{other.full_jid}")
    assert failure.value.condition == "service-unavailable"


async def test_there_is_one_session_with_a_resource_at_a_time(pair: Pair) -> None:
    one, other = await pair()
    await one.sessions.open(other.full_jid)
    with pytest.raises(MisuseError):
        await one.sessions.open(other.full_jid)


async def test_a_changed_key_raises_an_alarm_and_a_new_one_is_remembered_unconfirmed(pair: Pair) -> None:
    one, other = await pair(KEYS)
    stranger = SigningKey.generate(2048)
    other.hold_key(stranger)
    one.store.known_keys.put(
        RememberedKey(
            other.boundjid.bare, one.public_of(other.store.own_keys.of(other.boundjid.bare)[0]), utc_now()
        )
    )
    await one.sessions.open(other.full_jid)
    identity = (await one.event_of("esession_identity")).event
    assert isinstance(identity, IdentityPresented)
    assert identity.concerns == (KeyConcern.CHANGED,)
    assert not identity.verified
    assert [each.confirmed for each in one.store.known_keys.of(other.boundjid.bare)] == [False, False]


async def test_a_key_that_was_seen_revoked_gets_no_session(pair: Pair) -> None:
    one, other = await pair(KEYS)
    revoked = one.public_of(other.store.own_keys.of(other.boundjid.bare)[0])
    seen = RememberedKey(other.boundjid.bare, revoked, utc_now(), confirmed=True, revoked_at=utc_now())
    one.store.known_keys.put(seen)
    with pytest.raises(SessionFailed, match="revoked"):
        await one.sessions.open(other.full_jid)
    assert not one.all_of("esession_active")
    assert one.store.known_keys.of(other.boundjid.bare) == [seen]
    await other.event_of("esession_end")


async def test_support_is_told_by_service_discovery_and_capabilities(pair: Pair) -> None:
    one, other = await pair()
    discovery = one.plugin["xep_0030"]
    answer = await discovery.get_info(jid=other.full_jid, local=False)
    assert {ESESSION, SSN, FEATURE_NEGOTIATION} <= answer["disco_info"]["features"]
    own = await discovery.get_info(jid=one.full_jid, local=True)
    assert ESESSION in own["features"]
    (presence,) = [each for each in one.inbox.stanzas if each.get("from") == one.full_jid][:1]
    assert presence.find("{http://jabber.org/protocol/caps}c") is not None


async def test_a_pinned_policy_is_offered_to_its_peer_alone(server: XmppServer, tmp_path: Path) -> None:
    accounts: list[Account] = [await new_account(server, name) for name in ("alice", "bob")]
    pinned = replace(QUICK_GROUPS, ciphers=("aes128-ctr",))
    async with (
        session_client(
            server, accounts[0], tmp_path, configuration={"peers": {accounts[1].jid: pinned}}
        ) as one,
        session_client(server, accounts[1], tmp_path) as other,
    ):
        session = await one.sessions.open(other.full_jid)
        assert session.suite is not None
        assert session.suite.cipher == "aes128-ctr"
