"""One goes offline, and the other reaches it through published options, on real servers (XEP-0187)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from esession import MisuseError, OptionsError, RSAPublicKey, State
from esession.events import EndReason
from esession.wire import xep_0187
from esession.wire.xep_0187 import Audience
from stanzavault.kernel.clock import utc_now
from stanzavault_client.storage import RememberedKey
from support.accounts import Account, new_account
from support.esession_peers import signing_key
from support.inbox import Wanted
from support.session_clients import QUICK_GROUPS, SessionClient, session_client
from support.vaults import ServerVault
from support.xmpp_server import XmppServer

SIGNED = replace(QUICK_GROUPS, accept_three_messages=True, init_pubkey=("key",), resp_pubkey=("key",))
HOUR = timedelta(hours=1)


class Lovers:
    """Two accounts that know each other's keys, and their clients."""

    def __init__(self, server: XmppServer, folder: Path, alice: Account, bob: Account) -> None:
        self._server = server
        self._folder = folder
        self.alice = alice
        self.bob = bob

    @asynccontextmanager
    async def online(self, account: Account, **options: Any) -> AsyncIterator[SessionClient]:
        """One of them, logged in."""
        async with session_client(
            self._server, account, self._folder, sessions=options.pop("sessions", SIGNED), **options
        ) as client:
            for each, name in ((self.alice, "alice"), (self.bob, "bob")):
                if each is not account:
                    known = RememberedKey(each.jid, RSAPublicKey.of(signing_key(name)), utc_now(), True)
                    client.store.known_keys.put(known)
                elif not client.store.own_keys.of(each.jid):
                    client.hold_key(signing_key(name))
            yield client


@pytest.fixture
async def lovers(server: XmppServer, tmp_path: Path) -> Lovers:
    """Alice, who goes offline, and Bob."""
    return Lovers(server, tmp_path, await new_account(server, "alice"), await new_account(server, "bob"))


async def befriend(one: SessionClient, other: SessionClient) -> None:
    """Subscribe the two to each other's presence, one step after the other."""
    for client in (one, other):
        client.auto_authorize = client.auto_subscribe = None
        await client.get_roster()  # servers tell of subscriptions only who has asked for the roster
    for asking, asked in ((one, other), (other, one)):
        for sender, receiver, kind in ((asking, asked, "subscribe"), (asked, asking, "subscribed")):
            sender.send_presence(pto=receiver.boundjid.bare, ptype=kind)
            await receiver.wait_for(presence_from(sender, kind))
        await asking.wait_for(presence_from(asked, None))


def presence_from(client: SessionClient, kind: str | None) -> Wanted:
    """Recognizes a presence of this type from a client's account."""
    account = client.boundjid.bare
    return lambda it: (
        it.tag == "{jabber:client}presence"
        and it.get("type") == kind
        and it.get("from", "").partition("/")[0] == account
    )


@asynccontextmanager
async def returned(lovers: Lovers) -> AsyncIterator[SessionClient]:
    """Alice, back again; what was kept for her has been delivered."""
    async with lovers.online(lovers.alice, presence=False) as alice:
        await alice.sessions.offline.come_back()
        alice.send_presence()
        await alice.sessions.offline.all_delivered()
        yield alice


@pytest.mark.parametrize("audience", list(Audience))
async def test_messages_reach_one_who_was_offline_encrypted_and_are_read_on_return(
    lovers: Lovers, audience: Audience
) -> None:
    async with lovers.online(lovers.bob) as bob:
        async with lovers.online(lovers.alice) as alice:
            if audience is Audience.SUBSCRIBERS:
                await befriend(bob, alice)
            await alice.sessions.offline.publish(utc_now() + HOUR, audience=audience)
        session = await bob.sessions.offline.start(lovers.alice.jid, body="Thou art gone")
        assert session.state is State.SENDING
        await session.send(body="Come back soon")
        await session.end()
        await bob.pass_through()
        async with returned(lovers) as alice:
            await alice.event_of("esession_message", 2)
            await alice.event_of("esession_end")
            assert alice.bodies() == ["Thou art gone", "Come back soon"]
            (ended,) = alice.all_of("esession_end")
            assert ended.event.reason is EndReason.PEER_TERMINATED
            assert ended.session.peer_key == RSAPublicKey.of(signing_key("bob"))
            crossed = "".join(ET.tostring(each, "unicode") for each in alice.inbox.stanzas)
            assert "Thou art gone" not in crossed


async def test_a_single_message_is_left_and_the_session_is_over_with_it(lovers: Lovers) -> None:
    async with lovers.online(lovers.bob) as bob:
        async with lovers.online(lovers.alice) as alice:
            await alice.sessions.offline.publish(utc_now() + HOUR, audience=Audience.ALL)
        session = await bob.sessions.offline.start(lovers.alice.jid, body="Only this", one_shot=True)
        assert session.state is State.ENDED
        await bob.pass_through()
        async with returned(lovers) as alice:
            await alice.event_of("esession_message")
            assert alice.bodies() == ["Only this"]
            assert not list(alice.sessions)


async def test_on_return_options_for_subscribers_are_gone_and_so_are_their_values(lovers: Lovers) -> None:
    async with lovers.online(lovers.bob) as bob:
        async with lovers.online(lovers.alice) as alice:
            await befriend(bob, alice)
            await alice.sessions.offline.publish(utc_now() + HOUR)
            assert set(alice.store.offline_values.all()) == {"subscribers"}
        async with returned(lovers) as alice:
            assert not alice.store.offline_values.all()
        with pytest.raises(OptionsError, match="publishes no options"):
            await bob.sessions.offline.start(lovers.alice.jid, body="Too late")


async def test_options_for_all_stay_until_they_are_withdrawn(lovers: Lovers) -> None:
    async with lovers.online(lovers.bob) as bob:
        async with lovers.online(lovers.alice) as alice:
            await alice.sessions.offline.publish(utc_now() + HOUR, audience=Audience.ALL)
        for number in range(2):
            await bob.sessions.offline.start(lovers.alice.jid, body=f"{number}", one_shot=True)
            await bob.pass_through()
            async with returned(lovers) as alice:
                await alice.event_of("esession_message")
                assert alice.bodies() == [f"{number}"]
                assert set(alice.store.offline_values.all()) == {"all"}
        async with returned(lovers) as alice:
            await alice.sessions.offline.withdraw(Audience.ALL)
        with pytest.raises(OptionsError, match="publishes no options"):
            await bob.sessions.offline.start(lovers.alice.jid, body="2")


async def test_options_for_subscribers_are_for_nobody_else(lovers: Lovers) -> None:
    async with lovers.online(lovers.bob) as bob:
        async with lovers.online(lovers.alice) as alice:
            await alice.sessions.offline.publish(utc_now() + HOUR)
        with pytest.raises(OptionsError, match="publishes no options"):
            await bob.sessions.offline.start(lovers.alice.jid, body="Who art thou?")


async def test_options_may_be_published_again_and_again(lovers: Lovers) -> None:
    async with lovers.online(lovers.bob) as bob:
        async with lovers.online(lovers.alice) as alice:
            for _ in range(2):
                await alice.sessions.offline.publish(utc_now() + HOUR, audience=Audience.ALL)
        await bob.sessions.offline.start(lovers.alice.jid, body="The second ones", one_shot=True)
        await bob.pass_through()
        async with returned(lovers) as alice:
            await alice.event_of("esession_message")


async def test_a_replayed_session_is_refused_on_the_same_return_and_on_the_next(lovers: Lovers) -> None:
    async with lovers.online(lovers.bob) as bob:
        async with lovers.online(lovers.alice) as alice:
            await alice.sessions.offline.publish(utc_now() + HOUR, audience=Audience.ALL)
        await bob.sessions.offline.start(lovers.alice.jid, body="Once", one_shot=True)
        await bob.pass_through()
        async with returned(lovers) as alice:
            await alice.event_of("esession_message")
            (started,) = [each for each in alice.inbox.stanzas if "ns-init" in ET.tostring(each, "unicode")]
            replayed = ET.fromstring(ET.tostring(started))
            del replayed.attrib["from"]
            thread = replayed.find("{jabber:client}thread")
            assert thread is not None
            thread.text = "another"
            bob.send_element(replayed)
            await bob.pass_through()
            await alice.pass_through()
            assert alice.bodies() == ["Once"]
        bob.send_element(replayed)
        await bob.pass_through()
        async with returned(lovers) as alice:
            assert alice.bodies() == []


async def test_options_that_no_known_key_has_signed_are_not_used(lovers: Lovers) -> None:
    async with lovers.online(lovers.bob) as bob:
        async with lovers.online(lovers.alice) as alice:
            alice.hold_key(signing_key("stranger"))
            await alice.sessions.offline.publish(utc_now() + HOUR, audience=Audience.ALL)
            own = xep_0187.request(Audience.ALL)
            answer = await alice.iq_get(own)
            form = xep_0187.read_published(answer[0])
            assert form is not None
            (signs,) = [each for each in form.element if each.get("var") == "signs"]
            assert len(signs) == 2
            signs.remove(signs[1])
            await alice.iq_set(xep_0187.publish(Audience.ALL, form))
        with pytest.raises(OptionsError, match="no signature"):
            await bob.sessions.offline.start(lovers.alice.jid, body="Who art thou?")


async def test_a_session_with_one_who_was_offline_ends_as_soon_as_she_comes_online(lovers: Lovers) -> None:
    async with lovers.online(lovers.bob) as bob:
        async with lovers.online(lovers.alice) as alice:
            await befriend(bob, alice)
            await alice.sessions.offline.publish(utc_now() + HOUR)
        session = await bob.sessions.offline.start(lovers.alice.jid, body="Art thou there?")
        with pytest.raises(MisuseError):
            await bob.sessions.offline.start(lovers.alice.jid, body="Twice")
        async with returned(lovers) as alice:
            assert (await session.until_over()).reason is EndReason.TERMINATED
            await alice.event_of("esession_end")
            assert alice.bodies() == ["Art thou there?"]


async def test_what_is_sent_while_the_server_still_delivers_takes_its_turn(lovers: Lovers) -> None:
    async with lovers.online(lovers.bob) as bob:
        async with lovers.online(lovers.alice) as alice:
            await alice.sessions.offline.publish(utc_now() + HOUR, audience=Audience.ALL)
        session = await bob.sessions.offline.start(lovers.alice.jid, body="Kept")
        await bob.pass_through()
        async with lovers.online(lovers.alice, presence=False) as alice:
            await alice.sessions.offline.come_back()
            await session.send(body="Not kept")  # to a resource that is there, before its presence
            await bob.pass_through()
            await alice.pass_through()
            assert alice.bodies() == []
            alice.send_presence()
            await alice.sessions.offline.all_delivered()
            await alice.event_of("esession_message", 2)
            assert alice.bodies() == ["Kept", "Not kept"]


async def test_nothing_is_published_without_a_key_nor_for_the_past(lovers: Lovers) -> None:
    async with lovers.online(lovers.alice) as alice:
        with pytest.raises(MisuseError):
            await alice.sessions.offline.publish(utc_now() - HOUR)
        assert not alice.store.offline_values.all()


async def test_keys_that_are_not_known_yet_are_fetched_from_the_vault_where_they_are_published(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    names = [await new_account(server_vault.server, name) for name in ("alice", "bob")]
    lovers = Lovers(server_vault.server, tmp_path, *names)
    stranger = session_client(server_vault.server, lovers.bob, tmp_path, sessions=SIGNED)
    async with stranger as bob:
        bob.hold_key(signing_key("bob"))
        async with lovers.online(lovers.alice) as alice:
            await alice.sessions.offline.publish(utc_now() + HOUR, audience=Audience.ALL)
            with pytest.raises(OptionsError, match="no signature"):
                await bob.sessions.offline.start(lovers.alice.jid, body="Who art thou?")
            (own,) = alice.plugins.keys.own
            await alice.plugins.keys.publish(own)
        session = await bob.sessions.offline.start(lovers.alice.jid, body="Thou art found")
        assert session.peer_key == RSAPublicKey.of(signing_key("alice"))
        assert [each.confirmed for each in bob.store.known_keys.of(lovers.alice.jid)] == [False]
        assert not (await bob.event_of("esession_identity")).event.verified
        await bob.pass_through()
    async with returned(lovers) as alice:
        await alice.event_of("esession_message")
        assert alice.bodies() == ["Thou art found"]
