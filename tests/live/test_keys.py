"""Published keys through real servers, with real clients (XEP-0189 over XEP-0060)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

from support.accounts import new_account
from support.clients import CLIENT, Client, StanzaRefusedError, logged_in
from support.key_desk import ATTEST, EVENT, OWNER, PUBKEY, PUBSUB, REVOKE, as_owner, form, pubsub
from support.published_keys import OwnKey
from support.vaults import NewVault, ServerVault

ERRORS = "{http://jabber.org/protocol/pubsub#errors}"
WHITELIST, PRESENCE = {"pubsub#access_model": "whitelist"}, {"pubsub#access_model": "presence"}


@dataclass(frozen=True)
class Person:
    """An account of a test with a resource that is logged in, and a key."""

    client: Client
    key: OwnKey
    vault: ServerVault

    @property
    def jid(self) -> str:
        return self.client.account.jid

    @property
    def address(self) -> str:
        """The account's address at the vault."""
        return f"{self.jid.replace('@', chr(92) + '40')}@{self.vault.jid}"

    async def publish(
        self, node: str, payload: str, item: str = "current", options: dict[str, str] | None = None
    ) -> None:
        wanted = f"<publish-options>{form('publish-options', options)}</publish-options>" if options else ""
        asked = pubsub(f"<publish node='{node}'><item id='{item}'>{payload}</item></publish>{wanted}")
        await self.client.iq_set(ET.fromstring(asked), to=self.vault.jid)

    async def fetch(self, node: str, owner: Person) -> dict[str, Element]:
        """The items of another's node by their ids."""
        asked = ET.fromstring(pubsub(f"<items node='{node}'/>"))
        answer = await self.client.iq_get(asked, to=owner.address)
        return {item.get("id", ""): item[0] for item in answer.iter(f"{PUBSUB}item")}

    async def ask_set(self, asked: str, owner: Person) -> Element:
        return await self.client.iq_set(ET.fromstring(asked), to=owner.address)

    async def told(self, owner: Person, node: str) -> Element:
        """The next notification of a node of another's, claimed once."""
        message = await self.client.wait_for(
            lambda it: (
                it.tag == f"{{{CLIENT}}}message"
                and any(items.get("node") == node for items in it.iterfind(f"{EVENT}event/{EVENT}items"))
            )
        )
        assert (message.get("type"), message.get("from")) == ("headline", owner.address)
        return message


@pytest.fixture
async def people(vault: ServerVault) -> AsyncIterator[tuple[Person, Person]]:
    """Juliet and Romeo, each with a resource logged in."""
    async with AsyncExitStack() as stack:
        found = []
        for name in ("juliet", "romeo"):
            account = await new_account(vault.server, name)
            client = await stack.enter_async_context(logged_in(vault.server, account))
            found.append(Person(client, OwnKey(account.jid), vault))
        yield found[0], found[1]


def verified(pubkey: Element, jid: str) -> int:
    """The modulus of a key whose fingerprint was recomputed by who fetched it."""
    texts = {child.tag.split("}")[1]: "".join((child.text or "").split()) for child in pubkey.iter()}
    hashed = "".join(texts[name] for name in ("begin", "end", "jid", "modulus", "publicExponent"))
    assert texts["jid"] == jid
    assert base64.b64encode(hashlib.sha256(hashed.encode()).digest()).decode() == texts["print"]
    return int(texts["modulus"])


async def test_a_key_is_published_by_one_account_fetched_and_verified_by_another(
    people: tuple[Person, Person],
) -> None:
    juliet, romeo = people
    await juliet.publish(PUBKEY, juliet.key.pubkey)
    items = await romeo.fetch(PUBKEY, juliet)
    assert {name: verified(key, juliet.jid) for name, key in items.items()} == {"current": juliet.key.modulus}


async def test_slixmpps_own_plugin_publishes_and_fetches(people: tuple[Person, Person]) -> None:
    juliet, romeo = people
    for person in people:
        person.client.register_plugin("xep_0060")
    payload = ET.fromstring(juliet.key.pubkey)
    await juliet.client.plugin["xep_0060"].publish(juliet.vault.jid, PUBKEY, id="current", payload=payload)
    answer = await romeo.client.plugin["xep_0060"].get_items(juliet.address, PUBKEY)
    (item,) = answer["pubsub"]["items"]
    assert (item["id"], verified(item["payload"], juliet.jid)) == ("current", juliet.key.modulus)


async def test_a_key_is_asked_for_directly_of_the_account_itself(people: tuple[Person, Person]) -> None:
    juliet, romeo = people
    await juliet.publish(PUBKEY, juliet.key.pubkey)
    ask = f"<pubkey xmlns='{PUBKEY}'/>"
    for client, to in (
        (romeo.client, juliet.jid),
        (romeo.client, juliet.address),
        (juliet.client, juliet.jid),
        (juliet.client, None),
    ):
        answer = await client.iq_get(ET.fromstring(ask), to=to)
        assert verified(answer[0], juliet.jid) == juliet.key.modulus
    with pytest.raises(StanzaRefusedError, match="item-not-found"):
        await juliet.client.iq_get(ET.fromstring(ask), to=romeo.jid)


async def test_the_three_namespaces_are_discovered(people: tuple[Person, Person]) -> None:
    juliet, romeo = people

    async def discovered(to: str) -> set[str | None]:
        info = ET.fromstring("<query xmlns='http://jabber.org/protocol/disco#info'/>")
        return {one.get("var") for one in (await romeo.client.iq_get(info, to=to))[0]}

    for to in (juliet.address, juliet.vault.jid):
        assert {PUBKEY, REVOKE, ATTEST, "http://jabber.org/protocol/pubsub#publish"} <= await discovered(to)
    own = ET.fromstring("<query xmlns='http://jabber.org/protocol/disco#info'/>")
    answer = await juliet.client.iq_get(own, to=juliet.jid)
    assert PUBKEY in {one.get("var") for one in answer[0]}


async def test_every_acknowledged_key_is_there_once_after_a_kill(people: tuple[Person, Person]) -> None:
    juliet, romeo = people
    acknowledged: list[str] = []

    async def publish_until_it_fails() -> None:
        for number in count():
            await juliet.publish(PUBKEY, juliet.key.pubkey, f"k{number:04}")
            acknowledged.append(f"k{number:04}")
            if number == 10:
                juliet.vault.kill()

    with pytest.raises((StanzaRefusedError, TimeoutError)):
        await publish_until_it_fails()
    await juliet.vault.start_again()
    past = [record.get("item") for record in (await romeo.fetch(PUBKEY + "#history", juliet)).values()]
    assert acknowledged == past[: len(acknowledged)]
    assert len(past) <= len(acknowledged) + 1


async def test_a_revoked_key_is_gone_but_for_the_history(people: tuple[Person, Person]) -> None:
    juliet, romeo = people
    await juliet.publish(PUBKEY, juliet.key.pubkey)
    await juliet.publish(REVOKE, juliet.key.revocation(), "gone")
    assert await romeo.fetch(PUBKEY, juliet) == {}
    (revocation,) = (await romeo.fetch(REVOKE, juliet)).values()
    assert revocation.findtext(f"{{{REVOKE}}}keyprint") == juliet.key.fingerprint
    (past,) = (await romeo.fetch(PUBKEY + "#history", juliet)).values()
    assert past.get("revoked")
    assert verified(past[0], juliet.jid) == juliet.key.modulus
    with pytest.raises(StanzaRefusedError, match="not-acceptable"):
        await juliet.publish(PUBKEY, juliet.key.pubkey, "again")


async def test_one_account_vouches_for_the_key_of_another(people: tuple[Person, Person]) -> None:
    juliet, romeo = people
    await juliet.publish(PUBKEY, juliet.key.pubkey)
    await juliet.publish(ATTEST, romeo.key.attestation(juliet.key), "from-romeo")

    async def mark() -> str | None:
        (past,) = (await romeo.fetch(ATTEST + "#history", juliet)).values()
        return past.get("attestation")

    assert await mark() == "unverified"
    await romeo.publish(PUBKEY, romeo.key.pubkey)
    assert await mark() == "verified"
    false = romeo.key.attestation(juliet.key).replace("11:00:00Z", "11:00:01Z")
    with pytest.raises(StanzaRefusedError, match="does not verify"):
        await juliet.publish(ATTEST, false, "false")


async def test_changes_are_told_to_subscribers_and_to_the_owners_other_resources(
    people: tuple[Person, Person],
) -> None:
    juliet, romeo = people
    async with logged_in(juliet.vault.server, juliet.client.account, "phone") as phone:
        other = Person(phone, juliet.key, juliet.vault)
        await juliet.publish(PUBKEY, juliet.key.pubkey)
        told = await other.told(juliet, PUBKEY)
        (item,) = told.iter(f"{EVENT}item")
        assert verified(item[0], juliet.jid) == juliet.key.modulus
        await romeo.ask_set(pubsub(f"<subscribe node='{PUBKEY}' jid='{romeo.jid}'/>"), juliet)
        second = OwnKey(juliet.jid, "second")
        await juliet.publish(PUBKEY, second.pubkey, "second")
        for person in (romeo, other):
            (item,) = (await person.told(juliet, PUBKEY)).iter(f"{EVENT}item")
            assert verified(item[0], juliet.jid) == second.modulus
        await juliet.publish(REVOKE, second.revocation(), "gone")
        for person in (romeo, other):
            told = await person.told(juliet, PUBKEY)
            assert [one.get("id") for one in told.iter(f"{EVENT}retract")] == ["second"]
        await romeo.ask_set(pubsub(f"<unsubscribe node='{PUBKEY}' jid='{romeo.jid}'/>"), juliet)
        await juliet.publish(PUBKEY, OwnKey(juliet.jid, "third").pubkey, "third")
        await other.told(juliet, PUBKEY)
        await romeo.client.pass_through(juliet.vault.jid)
        assert not [one for one in romeo.client.inbox.stanzas if "third" in ET.tostring(one, "unicode")]


async def test_a_whitelist_lets_in_its_members_alone(people: tuple[Person, Person]) -> None:
    juliet, romeo = people
    await juliet.publish(PUBKEY, juliet.key.pubkey, options=WHITELIST)
    with pytest.raises(StanzaRefusedError, match="not-allowed") as refused:
        await romeo.fetch(PUBKEY, juliet)
    assert refused.value.error.find(f"{ERRORS}closed-node") is not None
    member = (
        f"<affiliations node='{PUBKEY}'><affiliation jid='{romeo.jid}' affiliation='member'/></affiliations>"
    )
    with pytest.raises(StanzaRefusedError, match="forbidden"):
        await romeo.ask_set(as_owner(member), juliet)
    await juliet.ask_set(as_owner(member), juliet)
    assert list(await romeo.fetch(PUBKEY, juliet)) == ["current"]
    with pytest.raises(StanzaRefusedError, match="conflict") as refused:
        await juliet.publish(PUBKEY, juliet.key.pubkey, "open", {"pubsub#access_model": "open"})
    assert refused.value.error.find(f"{ERRORS}precondition-not-met") is not None


async def test_presence_lets_in_those_who_see_the_owners_presence(people: tuple[Person, Person]) -> None:
    juliet, romeo = people
    await juliet.publish(PUBKEY, juliet.key.pubkey, options=PRESENCE)
    with pytest.raises(StanzaRefusedError, match="not-authorized") as refused:
        await romeo.fetch(PUBKEY, juliet)
    assert refused.value.error.find(f"{ERRORS}presence-subscription-required") is not None


async def test_who_sees_the_owners_presence_reads_a_node_for_presence(people: tuple[Person, Person]) -> None:
    juliet, romeo = people
    romeo.client.send_element(ET.Element(f"{{{CLIENT}}}presence", {"to": juliet.jid, "type": "subscribe"}))
    # Juliet's client agrees by itself, as slixmpp does; then the server shows her presence.
    await romeo.client.wait_for(
        lambda it: it.tag == f"{{{CLIENT}}}presence" and it.get("from") == juliet.client.boundjid.full
    )
    await juliet.publish(PUBKEY, juliet.key.pubkey, options=PRESENCE)
    assert list(await romeo.fetch(PUBKEY, juliet)) == ["current"]


@pytest.mark.parametrize("combination", ["prosody-sqlite", "ejabberd-postgresql"])
async def test_presence_is_refused_clearly_where_the_host_does_not_let_rosters_be_read(
    new_vault: NewVault, combination: str
) -> None:
    """The vault serves a second host, whose operator granted it nothing."""
    hosts = ["example.org", "elsewhere.example"]
    vault = await new_vault(combination, settings={"server": {"hosts": hosts}})
    paris = await new_account(vault.server, "paris", domain=vault.server.elsewhere)
    async with logged_in(vault.server, paris) as client:
        person = Person(client, OwnKey(paris.jid), vault)
        unable = "presence is not served: elsewhere.example does not let the vault read rosters"
        configure = as_owner(f"<configure node='{PUBKEY}'>{form('node_config', PRESENCE)}</configure>")
        create = pubsub(f"<create node='{PUBKEY}'/><configure>{form('node_config', PRESENCE)}</configure>")
        with pytest.raises(StanzaRefusedError, match=unable) as refused:
            await person.publish(PUBKEY, person.key.pubkey, options=PRESENCE)
        assert refused.value.condition == "feature-not-implemented"
        with pytest.raises(StanzaRefusedError, match=unable):
            await person.ask_set(create, person)
        with pytest.raises(StanzaRefusedError, match="item-not-found"):
            await person.fetch(PUBKEY, person)
        await person.publish(PUBKEY, person.key.pubkey, options=WHITELIST)
        with pytest.raises(StanzaRefusedError, match=unable):
            await person.ask_set(configure, person)
        assert list(await person.fetch(PUBKEY, person)) == ["current"]


async def test_a_node_is_made_configured_and_purged(people: tuple[Person, Person]) -> None:
    juliet, romeo = people
    await juliet.ask_set(pubsub(f"<create node='{PUBKEY}'/>"), juliet)
    await juliet.publish(PUBKEY, juliet.key.pubkey)
    await juliet.ask_set(
        as_owner(f"<configure node='{PUBKEY}'>{form('node_config', WHITELIST)}</configure>"), juliet
    )
    shown = await juliet.client.iq_get(
        ET.fromstring(as_owner(f"<configure node='{PUBKEY}'/>")), to=juliet.address
    )
    assert shown.find(f"{OWNER}pubsub/{OWNER}configure/{{jabber:x:data}}x") is not None
    with pytest.raises(StanzaRefusedError, match="not-allowed"):
        await romeo.fetch(PUBKEY, juliet)
    await juliet.ask_set(as_owner(f"<purge node='{PUBKEY}'/>"), juliet)
    assert await juliet.fetch(PUBKEY, juliet) == {}


async def test_bad_input_gets_its_error_and_stops_nobody(people: tuple[Person, Person]) -> None:
    juliet, romeo = people
    for payload in (
        juliet.key.pubkey.replace("2031-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"),
        juliet.key.pubkey.replace(str(juliet.key.modulus), "9" * 5000),
        romeo.key.pubkey,
        "<pubkey xmlns='urn:xmpp:pubkey:2'/>",
    ):
        with pytest.raises(StanzaRefusedError, match=r"bad-request|not-acceptable"):
            await juliet.publish(PUBKEY, payload)
    with pytest.raises(StanzaRefusedError, match="item-not-found"):
        await romeo.fetch(PUBKEY, juliet)
    await juliet.publish(PUBKEY, juliet.key.pubkey)
    assert list(await romeo.fetch(PUBKEY, juliet)) == ["current"]
