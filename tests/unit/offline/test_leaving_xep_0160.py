"""Which messages are kept, for whom, and what their senders are told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stanzavault.flows.retention import remove_expired_messages
from stanzavault.kernel.address import Address
from stanzavault.offline.model import Quota
from support.offline_desk import VAULT, Deployment, Desk

CHAT_STATE = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
NO_STORE = "<no-store xmlns='urn:xmpp:hints'/>"
STORE = "<store xmlns='urn:xmpp:hints'/>"


@pytest.mark.parametrize("type_", ["normal", "chat", None, "unheard-of"])
async def test_normal_and_chat_messages_are_kept_and_no_type_is_normal(desk: Desk, type_: str | None) -> None:
    await desk.meet()
    assert await desk.leave(type_=type_) is None
    (message,) = (await desk.log_in()).received
    assert message.get("type") == type_


@pytest.mark.parametrize("type_", ["headline", "error"])
async def test_headlines_and_errors_are_dropped_without_a_word(desk: Desk, type_: str) -> None:
    await desk.meet()
    assert await desk.leave(type_=type_) is None
    assert desk.waiting() == []


async def test_a_groupchat_message_is_not_kept_and_its_sender_is_told(desk: Desk) -> None:
    await desk.meet()
    assert await desk.leave(type_="groupchat") == "service-unavailable"
    assert desk.waiting() == []


async def test_chat_states_alone_are_not_kept(desk: Desk) -> None:
    await desk.meet()
    at = f"juliet\\40example.org@{VAULT}"
    for beside in ("", "<thread>t</thread>", NO_STORE, "<origin-id xmlns='urn:xmpp:sid:0' id='o'/>"):
        await desk.hand(
            "<message xmlns='jabber:component:accept' from='romeo@montague.net/orchard' type='chat' "
            f"to='{at}'>{CHAT_STATE}{beside}</message>"
        )
    assert desk.waiting() == []
    assert await desk.leave(more=CHAT_STATE) is None
    assert len(desk.waiting()) == 1


async def test_a_message_that_asks_not_to_be_kept_is_returned_xep_0334(desk: Desk) -> None:
    await desk.meet()
    assert await desk.leave(more=NO_STORE) == "service-unavailable"
    assert await desk.leave(more=NO_STORE + STORE) == "service-unavailable"
    assert await desk.leave(more="<no-permanent-store xmlns='urn:xmpp:hints'/>") is None
    assert await desk.leave(more="<no-copy xmlns='urn:xmpp:hints'/>") is None
    assert len(desk.waiting()) == 2


async def test_a_remote_sender_may_leave_a_message_and_becomes_no_owner(desk: Desk) -> None:
    await desk.meet()
    before = desk.rows("SELECT count(*) FROM account")
    assert await desk.leave(sender="mercutio@shakespeare.lit/pda") is None
    (message,) = (await desk.log_in()).received
    assert message.get("from") == f"mercutio\\40shakespeare.lit@{VAULT}/pda"
    assert desk.rows("SELECT count(*) FROM account") == before


async def test_a_sender_without_local_part_or_resource_is_kept_as_it_is(desk: Desk) -> None:
    await desk.meet()
    await desk.leave(sender="shakespeare.lit")
    (message,) = (await desk.log_in()).received
    assert message.get("from") == f"shakespeare.lit@{VAULT}"


async def test_a_message_that_would_grow_beyond_what_a_server_takes_is_refused(desk: Desk) -> None:
    await desk.meet()
    many, few = (f"<x xmlns='v' xmlns:p='{'n' * 1000}'>{'<p:a/><b/>' * turns}</x>" for turns in (1000, 100))
    assert len(many) < desk.deployment.limits.stanza / 10
    assert await desk.leave(more=many) == "not-acceptable"
    assert desk.waiting() == []
    assert await desk.leave(more=few) is None


async def test_an_account_that_was_never_here_is_unknown_and_becomes_no_owner(desk: Desk) -> None:
    assert await desk.leave(to="ghost@example.org") == "service-unavailable"
    assert desk.rows("SELECT count(*) FROM account") == [0]


async def test_an_account_of_no_configured_host_gets_nothing(desk: Desk) -> None:
    assert await desk.leave(to="mercutio@shakespeare.lit") is not None
    assert desk.rows("SELECT count(*) FROM account") == [0]


async def test_a_first_login_or_question_makes_an_account_known(desk: Desk) -> None:
    await desk.headers("nurse@example.org/kitchen")
    await desk.idle()
    assert await desk.leave(to="nurse@example.org") is None


async def test_a_sender_whose_address_can_not_be_handed_on_is_refused(desk: Desk) -> None:
    await desk.meet()
    assert await desk.leave(sender=f"{'a' * 1000}@{'b' * 40}.example") == "not-acceptable"
    assert desk.waiting() == []


class TestFullQueue:
    """A full queue answers `service-unavailable`."""

    async def test_by_number_of_messages(self, desk: Desk) -> None:
        await desk.meet()
        desk.deployment = Deployment(quota=Quota(bytes=10**6, messages=2))
        desk.start()
        assert [await desk.leave() for _ in range(3)] == [None, None, "service-unavailable"]
        assert len(desk.waiting()) == 2
        assert desk.usage()[1] == 2

    async def test_by_bytes(self, desk: Desk) -> None:
        await desk.meet()
        desk.deployment = Deployment(quota=Quota(bytes=1000, messages=1000))
        desk.start()
        assert await desk.leave("x" * 500) is None
        assert await desk.leave("x" * 500) == "service-unavailable"
        assert await desk.leave("x" * 50) is None

    async def test_one_full_queue_is_no_other_accounts_concern(self, desk: Desk) -> None:
        await desk.meet()
        await desk.meet("nurse@example.org")
        desk.deployment = Deployment(quota=Quota(bytes=10**6, messages=1))
        desk.start()
        await desk.leave()
        assert await desk.leave() == "service-unavailable"
        assert await desk.leave(to="nurse@example.org") is None

    async def test_what_is_delivered_makes_room(self, desk: Desk) -> None:
        await desk.meet()
        desk.deployment = Deployment(quota=Quota(bytes=10**6, messages=1))
        desk.start()
        await desk.leave()
        await desk.log_in()
        await desk.log_out()
        assert await desk.leave() is None


async def test_what_waited_too_long_is_removed_in_small_batches_and_makes_room(desk: Desk) -> None:
    await desk.meet()
    await desk.meet("nurse@example.org")
    for number in range(130):
        await desk.leave(str(number))
        await desk.leave(str(number), to="nurse@example.org")
    desk.clock.move(timedelta(days=29))
    await desk.leave("young")
    vault = Address.parse(VAULT)
    assert await remove_expired_messages(desk.database, vault) == 0
    desk.clock.move(timedelta(days=1))
    assert await remove_expired_messages(desk.database, vault) == 260
    assert desk.usage()[1] == 1
    assert (await desk.log_in()).bodies == ["young"]
    assert desk.usage() == (0, 0)


async def test_nothing_readable_lies_in_the_database(desk: Desk) -> None:
    await desk.meet()
    await desk.leave("a secret that must not show", sender="romeo@montague.net/orchard")
    content = b"".join(
        path.read_bytes() for path in desk.folder.iterdir() if path.name.startswith("vault.db")
    )
    for word in (b"secret that", b"romeo", b"montague", b"juliet", b"orchard"):
        assert word not in content


async def test_a_message_is_durable_before_anybody_is_told_of_it(desk: Desk) -> None:
    await desk.meet()
    seen: list[int] = []
    desk.login.left = lambda _account, _position: seen.append(len(desk.waiting()))  # type: ignore[method-assign]
    desk.start_routes()
    for _ in range(3):
        await desk.leave()
    await desk.idle()
    assert seen == [1, 2, 3]


class TestForgedMarks:
    """What claims to be the vault's or the account's own word is taken out."""

    async def test_stanza_ids_xep_0359(self, desk: Desk) -> None:
        await desk.meet()
        others = "<stanza-id xmlns='urn:xmpp:sid:0' id='theirs' by='montague.net'/>"
        forged = "".join(
            f"<stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='{by}'/>"
            for by in (VAULT, "VAULT.example.org", "juliet@example.org", "")
        )
        await desk.leave(more=forged + others + "<origin-id xmlns='urn:xmpp:sid:0' id='origin'/>")
        (message,) = (await desk.log_in()).received
        ids = message.findall("{urn:xmpp:sid:0}stanza-id")
        assert sorted(it.get("by", "") for it in ids) == ["montague.net", VAULT]
        assert "forged" not in [it.get("id") for it in ids]
        assert message.find("{urn:xmpp:sid:0}origin-id") is not None

    async def test_delays_xep_0203(self, desk: Desk) -> None:
        await desk.meet()
        delay = "<delay xmlns='urn:xmpp:delay' from='{}' stamp='2002-09-10T23:08:25Z'/>"
        await desk.leave(more=delay.format(VAULT) + delay.format("montague.net"))
        (message,) = (await desk.log_in()).received
        delays = message.findall("{urn:xmpp:delay}delay")
        assert [it.get("from") for it in delays] == ["montague.net", VAULT]
        assert delays[1].get("stamp") != "2002-09-10T23:08:25Z"

    async def test_nodes_xep_0013(self, desk: Desk) -> None:
        await desk.meet()
        await desk.leave(
            more="<offline xmlns='http://jabber.org/protocol/offline'><item node='1'/></offline>"
        )
        (message,) = (await desk.log_in()).received
        assert message.find("{http://jabber.org/protocol/offline}offline") is None


class TestPresence:
    """Subscriptions and probes are answered sensibly (RFC 6121)."""

    async def test_a_subscription_is_granted_and_asked_for_in_return(self, desk: Desk) -> None:
        await desk.say_presence("juliet@example.org", "subscribe")
        sent = [(it.get("type"), it.get("to"), it.get("from")) for it in desk.wire.sent]
        assert sent == [(type_, "juliet@example.org", VAULT) for type_ in ("subscribed", None, "subscribe")]

    async def test_a_strangers_subscription_is_declined(self, desk: Desk) -> None:
        await desk.say_presence("mercutio@shakespeare.lit", "subscribe")
        assert [it.get("type") for it in desk.wire.sent] == ["unsubscribed"]

    async def test_a_subscription_to_an_account_inside_the_vault_is_declined(self, desk: Desk) -> None:
        at = f"romeo\\40montague.net@{VAULT}"
        await desk.hand(
            "<presence xmlns='jabber:component:accept' type='subscribe' from='juliet@example.org' "
            f"to='{at}'/>"
        )
        assert [(it.get("type"), it.get("from")) for it in desk.wire.sent] == [("unsubscribed", at)]

    async def test_the_end_of_a_subscription_is_answered(self, desk: Desk) -> None:
        await desk.say_presence("juliet@example.org", "unsubscribe")
        assert [it.get("type") for it in desk.wire.sent] == ["unsubscribed", "unavailable", "unsubscribe"]

    async def test_a_probe_is_answered_by_presence_and_delivers_nothing(self, desk: Desk) -> None:
        await desk.meet()
        await desk.leave()
        desk.wire.sent.clear()
        await desk.presence("juliet@example.org/balcony", "probe")
        assert [(it.get("type"), it.get("to")) for it in desk.wire.sent] == [
            (None, "juliet@example.org/balcony")
        ]
        assert len(desk.waiting()) == 1

    @pytest.mark.parametrize("type_", ["subscribed", "unsubscribed", "error"])
    async def test_answers_to_our_own_are_not_answered(self, desk: Desk, type_: str) -> None:
        await desk.say_presence("juliet@example.org", type_)
        assert desk.wire.sent == []

    async def test_a_strangers_presence_receives_nothing_and_makes_no_owner(self, desk: Desk) -> None:
        await desk.presence("mercutio@shakespeare.lit/pda")
        assert desk.wire.sent == []
        assert desk.rows("SELECT count(*) FROM account") == [0]
