"""Nodes: making and configuring them, who may read them, who is told (XEP-0060, XEP-0222, XEP-0223)."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from stanzavault.kernel.address import Address
from stanzavault.kernel.limits import Limits
from stanzavault.keys.kinds.private import RECOVERY
from stanzavault.keys.model.node import AccessModel, Policy
from stanzavault.keys.store import tables
from stanzavault.runtime.stream import to_wire
from stanzavault.storage.unit import Unit
from stanzavault.storage.usage import Store, kept
from support.key_desk import (
    ATTEST,
    EVENT,
    HOST,
    JULIET,
    OWNER,
    PUBKEY,
    PUBSUB,
    ROMEO,
    STRANGER,
    KeyDesk,
    as_owner,
    form,
    pubsub,
    reason,
    refusal,
    result,
)
from support.published_keys import OwnKey

KEY = OwnKey(JULIET)
OTHER = OwnKey(JULIET, "second")
OPEN = {"pubsub#access_model": "open"}
PRESENCE = {"pubsub#access_model": "presence"}
WHITELIST = {"pubsub#access_model": "whitelist"}
CLOSED = ("cancel", "not-allowed", "closed-node")
NEEDS_PRESENCE = ("auth", "not-authorized", "presence-subscription-required")


async def create(desk: KeyDesk, options: dict[str, str] | None = None, sender: str = JULIET) -> object:
    configure = f"<configure>{form('node_config', options)}</configure>" if options else ""
    return await desk.ask(pubsub(f"<create node='{PUBKEY}'/>{configure}"), sender=sender)


async def shown_access(desk: KeyDesk) -> list[str | None]:
    answer = await desk.ask(as_owner(f"<configure node='{PUBKEY}'/>"), sender=JULIET, type_="get")
    assert result(answer)
    fields = {field.get("var"): field for field in answer.iter("{jabber:x:data}field")}
    assert fields["FORM_TYPE"][0].text == "http://jabber.org/protocol/pubsub#node_config"
    assert fields["pubsub#persist_items"][0].text == "true"
    assert fields["pubsub#send_last_published_item"][0].text == "never"
    return [value.text for value in fields["pubsub#access_model"].findall("{jabber:x:data}value")]


async def test_a_node_is_made_with_the_default_access_model_open(desk: KeyDesk) -> None:
    assert result(await create(desk))
    assert await shown_access(desk) == ["open"]
    assert refusal(await create(desk)) == ("cancel", "conflict", "")


async def test_a_node_is_made_and_configured_at_once(desk: KeyDesk) -> None:
    assert result(await create(desk, WHITELIST))
    assert await shown_access(desk) == ["whitelist"]
    assert refusal(await desk.fetch(PUBKEY)) == CLOSED


async def test_only_the_owner_makes_configures_and_empties_nodes(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    forbidden = ("auth", "forbidden", "")
    for asked in (
        f"<configure node='{PUBKEY}'>{form('node_config', WHITELIST)}</configure>",
        f"<purge node='{PUBKEY}'/>",
        f"<delete node='{PUBKEY}'/>",
        f"<affiliations node='{PUBKEY}'><affiliation jid='{ROMEO}' affiliation='member'/></affiliations>",
    ):
        assert refusal(await desk.ask(as_owner(asked), sender=ROMEO, about=JULIET)) == forbidden
    for asked in ("<default/>", f"<configure node='{PUBKEY}'/>", f"<affiliations node='{PUBKEY}'/>"):
        assert refusal(await desk.ask(as_owner(asked), sender=ROMEO, about=JULIET, type_="get")) == forbidden
    for asked in (f"<create node='{ATTEST}'/>", f"<retract node='{PUBKEY}'><item id='current'/></retract>"):
        assert refusal(await desk.ask(pubsub(asked), sender=ROMEO, about=JULIET)) == forbidden


async def test_publish_options_configure_a_node_that_is_not_there(desk: KeyDesk) -> None:
    options = WHITELIST | {"pubsub#persist_items": "1", "pubsub#send_last_published_item": "never"}
    assert result(await desk.publish(PUBKEY, KEY.pubkey, "current", options=options))
    assert refusal(await desk.fetch(PUBKEY)) == CLOSED


async def test_publish_options_that_the_node_does_not_meet_refuse_the_item(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    answer = await desk.publish(PUBKEY, OTHER.pubkey, "second", options=WHITELIST)
    assert refusal(answer) == ("cancel", "conflict", "precondition-not-met")
    assert list(await desk.items(PUBKEY)) == ["current"]
    assert result(await desk.publish(PUBKEY, OTHER.pubkey, "second", options=OPEN))


@pytest.mark.parametrize(
    ("options", "condition"),
    [
        ({"pubsub#access_model": "roster"}, "unsupported-access-model"),
        ({"pubsub#persist_items": "false"}, "invalid-options"),
        ({"pubsub#none": "1"}, "invalid-options"),
    ],
)
async def test_options_that_are_not_served_are_refused(
    desk: KeyDesk, options: dict[str, str], condition: str
) -> None:
    refused = ("modify", "not-acceptable", condition)
    assert refusal(await desk.publish(PUBKEY, KEY.pubkey, "current", options=options)) == refused
    assert refusal(await desk.fetch(PUBKEY))[1] == "item-not-found"
    assert refusal(await create(desk, options)) == refused
    await create(desk)
    assert refusal(await desk.configure(PUBKEY, options)) == refused


async def test_a_form_is_bounded(desk: KeyDesk) -> None:
    await create(desk)
    options = {f"field{number}": "x" for number in range(100_000)}
    assert refusal(await desk.configure(PUBKEY, options)) == ("modify", "not-acceptable", "")


async def test_a_whitelist_lets_in_its_members_alone(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current", options=WHITELIST)
    assert refusal(await desk.fetch(PUBKEY)) == CLOSED
    assert result(await desk.affiliate(PUBKEY, {ROMEO: "member", STRANGER: "member"}))
    assert list(await desk.items(PUBKEY)) == ["current"]
    assert list(await desk.items(PUBKEY, sender=f"{STRANGER}/x")) == ["current"]
    assert list(await desk.items(PUBKEY, sender=JULIET, about="")) == ["current"]
    assert result(await desk.affiliate(PUBKEY, {ROMEO: "none"}))
    assert refusal(await desk.fetch(PUBKEY)) == CLOSED


async def test_a_closed_node_is_closed_in_every_way(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current", options=WHITELIST)
    assert refusal(await desk.fetch(PUBKEY + "#history")) == CLOSED
    assert refusal(await desk.subscribe(PUBKEY, ROMEO)) == CLOSED
    direct = f"<pubkey xmlns='{PUBKEY}'/>"
    assert refusal(await desk.ask(direct, sender=ROMEO, about=JULIET, type_="get")) == CLOSED
    for namespace in ("info", "items"):
        query = f"<query xmlns='http://jabber.org/protocol/disco#{namespace}' node='{PUBKEY}'/>"
        assert refusal(await desk.ask(query, sender=ROMEO, about=JULIET, type_="get")) == CLOSED


async def test_the_owner_sees_who_is_on_the_whitelist(desk: KeyDesk) -> None:
    await create(desk, WHITELIST)
    await desk.affiliate(PUBKEY, {ROMEO: "member"})
    answer = await desk.ask(as_owner(f"<affiliations node='{PUBKEY}'/>"), sender=JULIET, type_="get")
    assert [(one.get("jid"), one.get("affiliation")) for one in answer.iter(f"{OWNER}affiliation")] == [
        (JULIET, "owner"),
        (ROMEO, "member"),
    ]


async def test_affiliations_that_are_not_served_are_refused(desk: KeyDesk) -> None:
    await create(desk)
    for affiliation in ("outcast", "publisher", "publish-only"):
        answer = await desk.affiliate(PUBKEY, {ROMEO: affiliation})
        assert refusal(answer) == ("cancel", "feature-not-implemented", "unsupported")
        feature = next(answer.iter("{http://jabber.org/protocol/pubsub#errors}unsupported")).get("feature")
        assert feature == f"{affiliation}-affiliation"
    assert refusal(await desk.affiliate(PUBKEY, {ROMEO: "owner"}))[1] == "not-acceptable"
    assert refusal(await desk.affiliate(PUBKEY, {ROMEO: "friend"}))[1] == "bad-request"
    assert refusal(await desk.affiliate(PUBKEY, {JULIET: "none"}))[1] == "not-allowed"
    assert refusal(await desk.affiliate(PUBKEY, {"a@@b": "member"}))[1] == "jid-malformed"


async def test_everybody_sees_what_he_is_to_an_accounts_nodes(desk: KeyDesk) -> None:
    await create(desk, WHITELIST)
    await desk.affiliate(PUBKEY, {ROMEO: "member"})

    async def affiliations(sender: str) -> list[str | None]:
        answer = await desk.ask(pubsub("<affiliations/>"), sender=sender, about=JULIET, type_="get")
        return [one.get("affiliation") for one in answer.iter(f"{PUBSUB}affiliation")]

    assert await affiliations(JULIET) == ["owner"]
    assert await affiliations(ROMEO) == ["member"]
    assert await affiliations(STRANGER) == []


async def test_presence_lets_in_those_who_see_the_owners_presence(desk: KeyDesk) -> None:
    assert result(await desk.publish(PUBKEY, KEY.pubkey, "current", options=PRESENCE))
    assert refusal(await desk.fetch(PUBKEY)) == NEEDS_PRESENCE
    assert refusal(await desk.subscribe(PUBKEY, ROMEO)) == NEEDS_PRESENCE
    desk.roster.pairs.add((JULIET, ROMEO))
    assert list(await desk.items(PUBKEY)) == ["current"]


async def test_presence_is_refused_where_the_server_does_not_show_rosters(desk: KeyDesk) -> None:
    desk.roster.granted = False
    refused = ("cancel", "feature-not-implemented", "unsupported")
    answer = await desk.publish(PUBKEY, KEY.pubkey, "current", options=PRESENCE)
    assert refusal(answer) == refused
    assert "does not let the vault read rosters" in reason(answer)
    assert refusal(await create(desk, PRESENCE)) == refused
    await create(desk)
    assert refusal(await desk.configure(PUBKEY, PRESENCE)) == refused
    assert await shown_access(desk) == ["open"]


async def test_a_grant_that_was_taken_back_closes_the_node(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current", options=PRESENCE)
    desk.roster.pairs.add((JULIET, ROMEO))
    desk.roster.granted = False
    assert refusal(await desk.fetch(PUBKEY)) == ("auth", "forbidden", "")
    assert list(await desk.items(PUBKEY, sender=JULIET, about="")) == ["current"]


class TestDefaultAccess:
    """`keys.access` is the access model of a node until its owner says otherwise."""

    @pytest.fixture
    def policy(self) -> Policy:
        return Policy(access=AccessModel.WHITELIST)

    async def test_a_new_node_has_the_deployments_access_model(self, desk: KeyDesk) -> None:
        await desk.publish(PUBKEY, KEY.pubkey, "current")
        assert await shown_access(desk) == ["whitelist"]
        answer = await desk.ask(as_owner("<default/>"), sender=JULIET, type_="get")
        assert "whitelist" in [value.text for value in answer.iter("{jabber:x:data}value")]


async def test_who_subscribed_is_told_of_changes_until_he_unsubscribes(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.told()
    answer = await desk.subscribe(PUBKEY, ROMEO)
    assert result(answer)
    assert [one.get("subscription") for one in answer.iter(f"{PUBSUB}subscription")] == ["subscribed"]
    assert result(await desk.subscribe(PUBKEY, ROMEO))
    assert result(await desk.subscribe(PUBKEY, f"{STRANGER}/x"))
    await desk.publish(PUBKEY, OTHER.pubkey, "second")
    assert {(one.get("to"), one.get("type")) for one in await desk.told()} == {
        (JULIET, "headline"),
        (ROMEO, "headline"),
        (f"{STRANGER}/x", "headline"),
    }
    assert result(await desk.subscribe(PUBKEY, ROMEO, verb="unsubscribe"))
    await desk.retract(PUBKEY, "second")
    assert [one.get("to") for one in await desk.told()] == [JULIET, f"{STRANGER}/x"]
    refused = await desk.subscribe(PUBKEY, ROMEO, verb="unsubscribe")
    assert refusal(refused) == ("wait", "unexpected-request", "not-subscribed")


async def test_a_quiet_retraction_is_told_to_the_owner_alone(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.subscribe(PUBKEY, ROMEO)
    await desk.told()
    await desk.retract(PUBKEY, "current", notify="0")
    assert [one.get("to") for one in await desk.told()] == [JULIET]


async def test_who_may_no_longer_read_is_no_longer_told(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.subscribe(PUBKEY, ROMEO)
    await desk.subscribe(PUBKEY, STRANGER)
    await desk.configure(PUBKEY, WHITELIST)
    await desk.affiliate(PUBKEY, {STRANGER: "member"})
    await desk.told()
    await desk.publish(PUBKEY, OTHER.pubkey, "second")
    assert [one.get("to") for one in await desk.told()] == [JULIET, STRANGER]
    await desk.configure(PUBKEY, PRESENCE)
    desk.roster.pairs.add((JULIET, ROMEO))
    await desk.told()
    await desk.retract(PUBKEY, "second")
    assert [one.get("to") for one in await desk.told()] == [JULIET, ROMEO]
    desk.roster.granted = False
    await desk.retract(PUBKEY, "current")
    assert [one.get("to") for one in await desk.told()] == [JULIET]


async def test_nobody_subscribes_or_unsubscribes_another(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.subscribe(PUBKEY, ROMEO)
    invalid = ("modify", "bad-request", "invalid-jid")
    assert refusal(await desk.subscribe(PUBKEY, ROMEO, sender=STRANGER)) == invalid
    refused = await desk.subscribe(PUBKEY, ROMEO, sender=STRANGER, verb="unsubscribe")
    assert refusal(refused) == ("auth", "forbidden", "")


async def test_everybody_sees_his_own_subscriptions(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.subscribe(PUBKEY, ROMEO)
    await desk.subscribe(PUBKEY, f"{ROMEO}/orchard")
    await desk.subscribe(PUBKEY, STRANGER)

    async def subscriptions(sender: str, node: str = "") -> list[str | None]:
        asked = f"<subscriptions node='{node}'/>" if node else "<subscriptions/>"
        answer = await desk.ask(pubsub(asked), sender=sender, about=JULIET, type_="get")
        return sorted(one.get("jid", "") for one in answer.iter(f"{PUBSUB}subscription"))

    assert await subscriptions(f"{ROMEO}/x") == [ROMEO, f"{ROMEO}/orchard"]
    assert await subscriptions(STRANGER, PUBKEY) == [STRANGER]
    assert await subscriptions(STRANGER, ATTEST) == []


class TestSubscribers:
    """Subscriptions are bounded."""

    @pytest.fixture
    def policy(self) -> Policy:
        return Policy(most_subscribers=3, most_of_account=2)

    async def test_a_node_has_so_many_subscribers_and_no_more(self, desk: KeyDesk) -> None:
        await desk.publish(PUBKEY, KEY.pubkey, "current")
        full = ("modify", "policy-violation", "too-many-subscriptions")
        for resource in "ab":
            assert result(await desk.subscribe(PUBKEY, f"{ROMEO}/{resource}"))
        assert refusal(await desk.subscribe(PUBKEY, f"{ROMEO}/c")) == full
        assert result(await desk.subscribe(PUBKEY, STRANGER))
        assert refusal(await desk.subscribe(PUBKEY, f"nurse@{HOST}")) == full
        assert result(await desk.subscribe(PUBKEY, STRANGER))


async def test_a_purge_retracts_all_and_the_history_keeps_it(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.publish(PUBKEY, OTHER.pubkey, "second")
    await desk.told()
    assert result(await desk.ask(as_owner(f"<purge node='{PUBKEY}'/>"), sender=JULIET))
    assert [one.find(f"{EVENT}event/{EVENT}purge") is not None for one in await desk.told()] == [True]
    assert await desk.items(PUBKEY) == {}
    assert len(await desk.items(PUBKEY + "#history")) == 2


async def test_a_node_with_a_history_is_not_deleted(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    answer = await desk.ask(as_owner(f"<delete node='{PUBKEY}'/>"), sender=JULIET)
    assert refusal(answer) == ("cancel", "feature-not-implemented", "unsupported")
    assert list(await desk.items(PUBKEY)) == ["current"]


async def test_a_change_of_configuration_is_told_to_the_owner(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.subscribe(PUBKEY, ROMEO)
    await desk.told()
    assert result(await desk.configure(PUBKEY, WHITELIST))
    (told,) = await desk.told()
    assert told.get("to") == JULIET
    assert told.find(f"{EVENT}event/{EVENT}configuration") is not None


async def test_a_cancelled_form_changes_nothing(desk: KeyDesk) -> None:
    await create(desk)
    asked = f"<configure node='{PUBKEY}'><x xmlns='jabber:x:data' type='cancel'/></configure>"
    assert result(await desk.ask(as_owner(asked), sender=JULIET))
    assert await shown_access(desk) == ["open"]


async def test_discovery_shows_a_node_to_who_may_read_it(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    info = f"<query xmlns='http://jabber.org/protocol/disco#info' node='{PUBKEY}'/>"
    answer = await desk.ask(info, sender=STRANGER, about=JULIET, type_="get")
    assert [one.attrib for one in answer.iter("{http://jabber.org/protocol/disco#info}identity")] == [
        {"category": "pubsub", "type": "leaf"}
    ]
    answer = await desk.ask(info.replace("#info", "#items"), sender=STRANGER, about=JULIET, type_="get")
    assert [one.get("name") for one in answer.iter("{http://jabber.org/protocol/disco#items}item")] == [
        "current"
    ]


async def test_the_three_namespaces_and_pubsub_are_advertised(desk: KeyDesk) -> None:
    info = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    for about in ("", JULIET):
        answer = await desk.ask(info, sender=ROMEO, about=about, type_="get")
        identities = answer.iter("{http://jabber.org/protocol/disco#info}identity")
        assert ("pubsub", "pep") in {(one.get("category"), one.get("type")) for one in identities}
        features = {one.get("var") for one in answer.iter("{http://jabber.org/protocol/disco#info}feature")}
        assert {
            "urn:xmpp:pubkey:2",
            "urn:xmpp:revoke:2",
            "urn:xmpp:attest:2",
            "http://jabber.org/protocol/pubsub#publish-options",
            "http://jabber.org/protocol/pubsub#access-open",
        } <= features


class TestPrivateNode:
    """A node that only its owner reads (XEP-0223)."""

    SEALED = "<sealed xmlns='urn:example:sealed'>b64</sealed>"

    async def test_only_its_owner_reads_it_whatever_is_asked(self, desk: KeyDesk) -> None:
        assert result(await desk.publish(RECOVERY, self.SEALED, "current", options=WHITELIST))
        assert list(await desk.items(RECOVERY, sender=JULIET, about="")) == ["current"]
        for sender in (ROMEO, STRANGER):
            assert refusal(await desk.fetch(RECOVERY, sender=sender)) == CLOSED
            assert refusal(await desk.subscribe(RECOVERY, sender)) == CLOSED
        assert refusal(await desk.configure(RECOVERY, OPEN))[2] == "unsupported-access-model"
        assert refusal(await desk.affiliate(RECOVERY, {ROMEO: "member"}))[1] == "not-allowed"

    async def test_it_is_not_made_open(self, desk: KeyDesk) -> None:
        refused = await desk.publish(RECOVERY, self.SEALED, "current", options=OPEN)
        assert refusal(refused) == ("modify", "not-acceptable", "unsupported-access-model")
        assert refusal(await desk.fetch(RECOVERY, sender=JULIET, about=""))[1] == "item-not-found"

    async def test_what_is_replaced_or_retracted_is_gone(self, desk: KeyDesk) -> None:
        await desk.publish(RECOVERY, self.SEALED, "current")
        await desk.publish(RECOVERY, self.SEALED.replace("b64", "new"), "current")
        assert (
            refusal(await desk.fetch(RECOVERY + "#history", sender=JULIET, about=""))[1] == "item-not-found"
        )
        assert await self.stored(desk) == 1
        await desk.retract(RECOVERY, "current")
        assert await self.stored(desk) == 0

    async def test_what_grows_as_it_is_written_is_counted_at_its_full_size(self, desk: KeyDesk) -> None:
        turns = "<x xmlns='v' xmlns:p='{}'>{}</x>"
        too_large = turns.format("n" * 1000, "<p:a/><b/>" * 40)
        assert len(too_large) < 2000
        assert refusal(await desk.publish(RECOVERY, too_large, "current"))[1] == "not-acceptable"
        for number in range(10):
            large = turns.format("n" * 1000, "<p:a/><b/>" * 25)
            assert result(await desk.publish(RECOVERY, large, f"item {number}"))
        answer = await desk.fetch(RECOVERY, sender=JULIET, about="")
        assert result(answer)
        assert len(to_wire(answer)) < Limits().reply
        assert answer.find(".//{http://jabber.org/protocol/rsm}count") is not None

    async def test_it_is_deleted_with_all_in_it(self, desk: KeyDesk) -> None:
        await desk.publish(RECOVERY, self.SEALED, "current")
        assert result(await desk.ask(as_owner(f"<delete node='{RECOVERY}'/>"), sender=JULIET))
        assert await self.stored(desk) == 0
        assert refusal(await desk.fetch(RECOVERY, sender=JULIET, about=""))[1] == "item-not-found"

    async def stored(self, desk: KeyDesk) -> int:
        async def count(unit: Unit) -> int:
            owner = await unit.find_owner(Address.parse(JULIET))
            assert owner is not None
            counted: int = (
                await unit.connection.execute(select(func.count()).select_from(tables.item))
            ).scalar_one()
            assert (await kept(unit.connection, owner, Store.KEYS))[1] == counted
            return counted

        return await desk.inside.database.read(Address.parse(JULIET), count)
