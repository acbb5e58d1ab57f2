"""The plugin `esession` between two slixmpp clients that are linked without a server."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from esession import GAJIM, LoggingPreference, MisuseError, Policy, State
from esession.events import EndReason
from esession.wire.xep_0155 import ROSTER_EXCHANGE
from stanzavault_client.esession import EncryptedSession, SessionFailed
from support.linked_clients import ALICE, BOB, Linked, linked

QUICK = Policy(groups=(14,))
ENCRYPTED = "<c xmlns='http://www.xmpp.org/extensions/xep-0200.html#ns'><data>AAAA</data><mac>AAAA</mac></c>"
DELAY = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>"


async def established(alice: Linked, bob: Linked) -> tuple[EncryptedSession, EncryptedSession]:
    """A session of the two, as each side has it."""
    session = await alice.sessions.open(BOB)
    return session, (await bob.event_of("esession_active")).session


def stanza(xml: str) -> ET.Element:
    """A stanza of the `jabber:client` namespace."""
    return ET.fromstring(f"<s xmlns='jabber:client'>{xml}</s>")[0]


def request(sender: str, thread: str, form_type: str = "urn:xmpp:ssn") -> ET.Element:
    """A message that asks for something by feature negotiation."""
    form = f"<field var='FORM_TYPE' type='hidden'><value>{form_type}</value></field>"
    form += "<field var='accept' type='boolean'><value>1</value><required/></field>"
    return stanza(
        f"<message from='{sender}' to='{BOB}'><thread>{thread}</thread>"
        "<feature xmlns='http://jabber.org/protocol/feature-neg'>"
        f"<x xmlns='jabber:x:data' type='form'>{form}</x></feature></message>"
    )


async def test_a_silent_peer_times_out(tmp_path: Path) -> None:
    hasty = replace(QUICK, negotiation_timeout=timedelta(milliseconds=50))
    async with linked(tmp_path, hasty, accepting=False) as (alice, _):
        with pytest.raises(SessionFailed) as failure:
            await alice.sessions.open(BOB)
        assert failure.value.reason is EndReason.TIMED_OUT


async def test_a_call_that_is_given_up_cancels_the_request(tmp_path: Path) -> None:
    async with linked(tmp_path, QUICK, accepting=False) as (alice, bob):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(alice.sessions.open(BOB), 0.05)
        assert not list(alice.sessions)
        late = (await bob.event_of("esession_requested")).session
        with pytest.raises(SessionFailed):
            await late.accept()


async def test_silence_brings_new_keys_when_the_timer_says_so(tmp_path: Path) -> None:
    async with linked(tmp_path, replace(QUICK, rekey_idle=timedelta(milliseconds=50))) as (alice, bob):
        session, _ = await established(alice, bob)
        await session.send(body="Then silence")
        rekeyed = await alice.event_of("esession_rekeyed")
        assert rekeyed.event.by_us


async def test_a_store_that_fails_ends_the_session_before_anything_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with linked(tmp_path, QUICK) as (alice, bob):

        def fail(_: object) -> None:
            raise OSError("no space left: secret words")

        monkeypatch.setattr(bob.store.retained_secrets, "put", fail)
        opening = asyncio.ensure_future(alice.sessions.open(BOB))
        ended = await bob.event_of("esession_end")
        assert ended.event.reason is EndReason.LOST
        assert not bob.all_of("esession_active")
        assert ended.session.state is State.ENDED
        assert "secret words" not in caplog.text
        assert not opening.done()
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)


async def test_strangers_can_not_fill_the_memory_with_requests(tmp_path: Path) -> None:
    async with linked(tmp_path, QUICK, accepting=False) as (_, bob):
        for number in range(50):
            bob.take(request(f"eve{number}@example.net/x", f"thread {number}"))
        assert len(list(bob.sessions)) == 32
        assert not bob.sent


async def test_one_stranger_can_not_take_everybodys_place(tmp_path: Path) -> None:
    async with linked(tmp_path, QUICK, accepting=False) as (_, bob):
        for number in range(10):
            bob.take(request("eve@example.net/x", f"thread {number}"))
        assert len(list(bob.sessions)) == 4


async def test_other_uses_of_feature_negotiation_are_left_to_others(tmp_path: Path) -> None:
    async with linked(tmp_path, QUICK, accepting=False) as (_, bob):
        seen = []
        bob.add_event_handler("message", seen.append)
        other = request("romeo@example.net/x", "thread", "urn:example:games")
        ET.SubElement(other, "{jabber:client}body").text = "Shall we play?"
        bob.take(other)
        assert not list(bob.sessions)
        assert len(seen) == 1


@pytest.mark.parametrize(
    ("to", "more", "answered"), [(BOB, "", True), (BOB, DELAY, False), (BOB.partition("/")[0], "", False)]
)
async def test_an_unknown_session_is_answered_only_where_presence_is_known_already(
    tmp_path: Path, to: str, more: str, answered: bool
) -> None:
    async with linked(tmp_path, QUICK) as (alice, bob):
        alice.other = None
        bob.take(stanza(f"<message from='eve@example.net/x' to='{to}' id='1'>{ENCRYPTED}{more}</message>"))
        await bob.waiting_queue.join()
        assert [each.get("type") for each in bob.sent] == (["error"] if answered else [])


async def test_what_comes_beside_encrypted_content_reaches_nobody(tmp_path: Path) -> None:
    async with linked(tmp_path, QUICK) as (alice, bob):
        session, _ = await established(alice, bob)
        seen = []
        bob.add_event_handler("message", seen.append)
        carried: list[ET.Element] = []
        alice.other = None
        await session.send(body="Mine")
        await alice.waiting_queue.join()
        carried = [alice.sent[-1]]
        ET.SubElement(carried[0], "{jabber:client}body").text = "The server's"
        bob.take(carried[0])
        assert (await bob.event_of("esession_message")).stanza["body"] == "Mine"
        assert not seen


async def test_stream_management_counts_before_this_plugin_takes_a_stanza(tmp_path: Path) -> None:
    async with linked(tmp_path, QUICK) as (_, bob):
        bob.register_plugin("xep_0198")
        bob.event("connecting")
        bob.plugin["xep_0198"].enabled_in = True
        bob.take(stanza(f"<message from='eve@example.net/x' to='{BOB}'>{ENCRYPTED}{DELAY}</message>"))
        assert bob.plugin["xep_0198"].handled == 1


async def test_terms_can_be_changed_and_what_may_not_be_kept_any_more_is_not(tmp_path: Path) -> None:
    lenient = replace(QUICK, logging=LoggingPreference.CONCEDE)
    async with linked(tmp_path, lenient, transcripts=True) as (alice, bob):
        session, theirs = await established(alice, bob)
        await session.send(body="For the record")
        await bob.event_of("esession_message")
        await session.renegotiate({"logging": ("mustnot",)})
        await bob.event_of("esession_renegotiation_requested")
        await theirs.answer_renegotiation(accept=True)
        await alice.event_of("esession_renegotiated")
        await session.send(body="Off the record")
        await bob.event_of("esession_message", 2)
        for each in (session, theirs):
            assert each.transcript is not None
            assert [line.body for line in each.transcript.messages] == ["For the record"]


async def test_a_session_goes_on_with_another_resource(tmp_path: Path) -> None:
    async with linked(tmp_path, QUICK) as (alice, bob):
        session, theirs = await established(alice, bob)
        await session.move("tablet")
        moved = await bob.event_of("esession_moved")
        assert moved.event.jid == theirs.peer == "alice@example.org/tablet"


async def test_a_pinned_gajim_is_spoken_to_in_its_profile_and_offered_what_it_needs(tmp_path: Path) -> None:
    gajim = replace(QUICK, profile=GAJIM, ciphers=("aes128-ctr",), stanzas=("message",))
    async with linked(tmp_path, gajim) as (alice, bob):
        session, _ = await established(alice, bob)
        assert session.suite is not None
        assert session.suite.profile is GAJIM
        await session.send(body="Hello, old friend")
        assert (await bob.event_of("esession_message")).stanza["body"] == "Hello, old friend"
        features = (await alice.plugin["xep_0030"].get_info(local=True))["features"]
        assert ROSTER_EXCHANGE in features


async def test_what_can_not_be_sent_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async with linked(tmp_path, QUICK) as (alice, bob):
        session, _ = await established(alice, bob)
        for wrong in ({}, {"body": "one", "stanza": alice.make_message(BOB)}):
            with pytest.raises(ValueError, match="a stanza or a body"):
                await session.send(**wrong)
        with pytest.raises(ValueError, match="`request` sends it"):
            await session.send(alice.make_iq_get())
        with pytest.raises(ValueError, match="get or set"):
            await session.request(alice.make_iq_result())
        await session.end()
        with pytest.raises(MisuseError):
            await session.send(body="Too late")


async def test_nothing_secret_is_in_a_repr_or_a_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with linked(tmp_path, QUICK) as (alice, bob):
        session, _ = await established(alice, bob)
        await session.send(body="The nightingale")
        await bob.event_of("esession_message")
        assert repr(session) == f"EncryptedSession({BOB!r}, ACTIVE)"
        assert "nightingale" not in caplog.text
        assert "nightingale" not in repr(bob.happened)


async def test_two_who_ask_at_once_get_one_session(tmp_path: Path) -> None:
    async with linked(tmp_path, QUICK) as (alice, bob):
        opened = await asyncio.gather(
            alice.sessions.open(BOB), bob.sessions.open(ALICE), return_exceptions=True
        )
        (failure,) = [each for each in opened if isinstance(each, SessionFailed)]
        assert failure.reason is EndReason.CANCELLED
        for client in (alice, bob):
            await client.event_of("esession_active")
            assert [each.state for each in client.sessions] == [State.ACTIVE]


async def test_a_new_session_with_a_resource_takes_the_place_of_one_that_it_has_lost(tmp_path: Path) -> None:
    async with linked(tmp_path, QUICK) as (alice, bob):
        session, theirs = await established(alice, bob)
        session.lose()
        again = await alice.sessions.open(BOB)
        assert (await theirs.until_over()).reason is EndReason.LOST
        await again.send(body="Here again")
        assert (await bob.event_of("esession_message")).session.thread == again.thread


async def test_a_carbon_copy_is_left_to_others_and_ends_nothing(tmp_path: Path) -> None:
    async with linked(tmp_path, QUICK) as (alice, bob):
        session, _ = await established(alice, bob)
        await session.send(body="Once")
        await bob.event_of("esession_message")
        own = BOB.partition("/")[0]
        copy = stanza(
            f"<message from='{own}' to='{BOB}'><received xmlns='urn:xmpp:carbons:2'>"
            "<forwarded xmlns='urn:xmpp:forward:0'/></received></message>"
        )
        copy[0][0].append(alice.sent[-1])
        bob.take(copy)
        await session.send(body="Twice")
        await bob.event_of("esession_message", 2)
        assert not bob.all_of("esession_end")


async def test_stanzas_that_overtake_each_other_after_a_resumption_are_put_in_order(tmp_path: Path) -> None:
    async with linked(tmp_path, replace(QUICK, rekey_after=3)) as (alice, bob):
        session, _ = await established(alice, bob)
        alice.other = None
        for number in range(6):
            await session.send(body=str(number))
        await alice.waiting_queue.join()
        bob.event("session_resumed")
        for place in (0, 3, 2, 1, 2, 5, 4):
            bob.take(ET.fromstring(ET.tostring(alice.sent[place - 6])))
        await bob.event_of("esession_message", 6)
        assert [each.stanza["body"] for each in bob.all_of("esession_message")] == list("012345")


async def test_a_forged_stanza_ends_the_session_after_a_resumption_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stanzavault_client.esession.disorder.PATIENCE", 0.05)
    async with linked(tmp_path, QUICK) as (alice, bob):
        session, theirs = await established(alice, bob)
        bob.event("session_resumed")
        thread = f"<thread>{session.thread}</thread>"
        bob.take(stanza(f"<message from='{ALICE}' to='{BOB}'>{thread}{ENCRYPTED}</message>"))
        assert theirs.state is State.ACTIVE
        assert (await theirs.until_over()).reason is EndReason.DAMAGED
