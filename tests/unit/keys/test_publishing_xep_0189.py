"""Publishing, replacing, retracting and fetching keys (XEP-0189 over XEP-0060)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

from stanzavault.kernel.limits import Limits
from stanzavault.keys.model.node import Policy
from stanzavault.keys.routes import announcing
from support.key_desk import (
    ATTEST,
    EVENT,
    JULIET,
    PUBKEY,
    PUBSUB,
    REVOKE,
    ROMEO,
    STRANGER,
    KeyDesk,
    pubsub,
    reason,
    refusal,
    result,
)
from support.published_keys import OwnKey

KEY = OwnKey(JULIET)
OTHER = OwnKey(JULIET, "second")


async def test_a_published_key_is_fetched_as_it_was_published(desk: KeyDesk) -> None:
    answer = await desk.publish(PUBKEY, KEY.pubkey, "current")
    assert result(answer)
    assert [item.get("id") for item in answer.iter(f"{PUBSUB}item")] == ["current"]
    items = await desk.items(PUBKEY)
    assert {name: ET.tostring(key) for name, key in items.items()} == {
        "current": ET.tostring(ET.fromstring(KEY.pubkey))
    }


async def test_anybody_reads_an_open_node_also_from_another_domain(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    assert list(await desk.items(PUBKEY, sender=f"{STRANGER}/x")) == ["current"]


async def test_only_the_account_itself_publishes(desk: KeyDesk) -> None:
    payload = pubsub(f"<publish node='{PUBKEY}'><item>{KEY.pubkey}</item></publish>")
    assert refusal(await desk.ask(payload, sender=ROMEO, about=JULIET)) == ("auth", "forbidden", "")
    assert refusal(await desk.ask(payload, sender=STRANGER)) == ("auth", "forbidden", "")


async def test_a_sole_key_published_without_an_id_is_named_current(desk: KeyDesk) -> None:
    assert result(await desk.publish(PUBKEY, KEY.pubkey))
    assert result(await desk.publish(PUBKEY, OTHER.pubkey))
    first, second = await desk.items(PUBKEY)
    assert first == "current"
    assert second != "current"


async def test_a_key_under_the_same_id_replaces_the_one_before(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.publish(PUBKEY, OTHER.pubkey, "current")
    (key,) = (await desk.items(PUBKEY)).values()
    assert key.findtext(f".//{{{PUBKEY}}}modulus") == str(OTHER.modulus)


async def test_a_retracted_key_is_no_longer_served(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    assert result(await desk.retract(PUBKEY, "current"))
    assert await desk.items(PUBKEY) == {}
    assert refusal(await desk.retract(PUBKEY, "current")) == ("cancel", "item-not-found", "")


async def test_items_are_fetched_by_their_ids(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "one")
    await desk.publish(PUBKEY, OTHER.pubkey, "two")
    ask = pubsub(f"<items node='{PUBKEY}'><item id='two'/><item id='none'/></items>")
    answer = await desk.ask(ask, sender=ROMEO, about=JULIET, type_="get")
    assert [item.get("id") for item in answer.iter(f"{PUBSUB}item")] == ["two"]
    ask = ask.replace("<item id='two'/>", "")
    assert refusal(await desk.ask(ask, sender=ROMEO, about=JULIET, type_="get"))[1] == "item-not-found"


async def test_an_unknown_node_or_account_is_not_found(desk: KeyDesk) -> None:
    assert refusal(await desk.fetch(PUBKEY)) == ("cancel", "item-not-found", "")
    assert refusal(await desk.fetch("urn:example:none")) == ("cancel", "item-not-found", "")
    assert refusal(await desk.fetch(PUBKEY, about=ROMEO)) == ("cancel", "item-not-found", "")


async def test_what_is_no_node_of_an_account_is_not_published(desk: KeyDesk) -> None:
    assert refusal(await desk.publish("urn:example:none", KEY.pubkey)) == ("cancel", "not-allowed", "")
    assert refusal(await desk.publish(PUBKEY + "#history", KEY.pubkey)) == ("cancel", "not-allowed", "")
    assert refusal(await desk.publish(PUBKEY, "<other xmlns='urn:example:x'/>")) == (
        "modify",
        "bad-request",
        "invalid-payload",
    )


async def test_the_same_publication_again_changes_nothing(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.told()
    assert result(await desk.publish(PUBKEY, KEY.pubkey, "current"))
    assert await desk.told() == []
    assert len(await desk.items(PUBKEY + "#history")) == 1


@pytest.mark.parametrize(
    ("key", "because"),
    [
        (OwnKey(ROMEO), "its address is not the bare address of the account"),
        (OwnKey(JULIET + "/balcony"), "its address is not the bare address of the account"),
        (OwnKey(JULIET, begin="2031-01-01T00:00:00Z"), "it begins no earlier than it ends"),
        (
            OwnKey(JULIET, begin="2020-01-01T00:00:00Z", end="2021-01-01T00:00:00Z"),
            "it ended 2021-01-01T00:00:00Z",
        ),
        (OwnKey(JULIET, end="9999-12-31T23:59:59Z"), "it ends more than a hundred years from now"),
        (OwnKey(JULIET, "weak", bits=1024), "its modulus has 1024 bits, not 2048 to 8192"),
    ],
)
async def test_an_unsound_key_is_refused_with_the_reason(desk: KeyDesk, key: OwnKey, because: str) -> None:
    answer = await desk.publish(PUBKEY, key.pubkey, "current")
    assert refusal(answer) == ("modify", "not-acceptable", "")
    assert because in reason(answer)
    assert refusal(await desk.fetch(PUBKEY))[1] == "item-not-found"


async def test_a_fingerprint_that_does_not_recompute_is_refused(desk: KeyDesk) -> None:
    answer = await desk.publish(PUBKEY, KEY.pubkey.replace(KEY.fingerprint, OTHER.fingerprint), "current")
    assert refusal(answer) == ("modify", "not-acceptable", "")
    assert "fingerprint" in reason(answer)


@pytest.mark.parametrize(
    ("modulus", "exponent", "because"),
    [
        (KEY.modulus - 1, 65537, "its modulus is even"),
        (KEY.modulus, 3, "its exponent"),
        (KEY.modulus, 65538, "its exponent"),
        (KEY.modulus, 2**65 + 1, "its exponent"),
        (2**8192 + 1, 65537, "its modulus has 8193 bits"),
    ],
)
async def test_unsound_numbers_are_refused(desk: KeyDesk, modulus: int, exponent: int, because: str) -> None:
    payload = KEY.pubkey.replace(str(KEY.modulus), str(modulus)).replace(">65537<", f">{exponent}<")
    answer = await desk.publish(PUBKEY, payload, "current")
    assert refusal(answer) == ("modify", "not-acceptable", "")
    assert because in reason(answer)


class TestQuota:
    """What an account keeps is bounded."""

    @pytest.fixture
    def policy(self) -> Policy:
        return Policy(most_items=2, most_bytes=100_000, item_bytes=4000)

    async def test_beyond_the_quota_nothing_is_stored(self, desk: KeyDesk) -> None:
        for number in range(2):
            assert result(await desk.publish(PUBKEY, KEY.pubkey, f"k{number}"))
        answer = await desk.publish(PUBKEY, OTHER.pubkey, "k2")
        assert refusal(answer) == ("modify", "policy-violation", "")
        assert "2 items" in reason(answer)
        assert list(await desk.items(PUBKEY)) == ["k0", "k1"]

    async def test_an_item_too_large_is_refused(self, desk: KeyDesk) -> None:
        large = KEY.pubkey.replace("</pubkey>", f"<uri>{'x' * 4000}</uri></pubkey>")
        assert refusal(await desk.publish(PUBKEY, large, "k")) == (
            "modify",
            "not-acceptable",
            "payload-too-big",
        )


async def test_a_change_is_told_to_the_owners_resources_from_the_accounts_address(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.retract(PUBKEY, "current", notify="false")
    published, retracted = await desk.told()
    assert published.attrib | {"id": ""} == {
        "type": "headline",
        "id": "",
        "from": "juliet\\40example.org@vault.example.org",
        "to": JULIET,
    }
    assert published.find(f"{EVENT}event/{EVENT}items/{EVENT}item/{{{PUBKEY}}}pubkey") is not None
    assert [one.get("id") for one in retracted.iter(f"{EVENT}retract")] == ["current"]


async def test_an_expired_key_is_served_only_in_the_history(desk: KeyDesk) -> None:
    key = OwnKey(JULIET, end="2026-04-01T00:00:00Z")
    await desk.publish(PUBKEY, key.pubkey, "current")
    desk.clock.move(timedelta(days=60))
    assert await desk.items(PUBKEY) == {}
    assert len(await desk.items(PUBKEY + "#history")) == 1


async def test_changes_wait_to_be_told_in_a_bounded_number(
    desk: KeyDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "_MOST_WAITING", 2)
    free = asyncio.Event()
    send = desk.send

    async def held(stanza: Element) -> None:
        if stanza.tag.endswith("}message"):
            await free.wait()
        await send(stanza)

    monkeypatch.setattr(desk, "send", held)
    for number in range(2):
        assert result(await desk.publish(PUBKEY, KEY.pubkey, f"k{number}"))
        await desk.inside.database._effects.join()
    answer = await desk.publish(PUBKEY, KEY.pubkey, "k2")
    assert refusal(answer)[:2] == ("wait", "resource-constraint")
    assert list(await desk.items(PUBKEY)) == ["k0", "k1"]
    assert result(await desk.publish(PUBKEY, OwnKey(ROMEO).pubkey, "k", sender=ROMEO))
    free.set()
    await desk.keys._announcer._changes.join()
    assert result(await desk.publish(PUBKEY, KEY.pubkey, "k2"))


class TestSmallReplies:
    """Answers are cut by their bytes too."""

    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(reply=12_000)

    async def test_a_page_is_cut_at_the_bytes_of_a_reply(self, desk: KeyDesk) -> None:
        names = [f"k{number:02}" for number in range(20)]
        for name in names:
            assert result(await desk.publish(PUBKEY, KEY.pubkey, name))
        seen: list[str] = []
        answer = await desk.fetch(PUBKEY)
        while True:
            page = [item.get("id", "") for item in answer.iter(f"{PUBSUB}item")]
            seen += page
            last = answer.findtext(".//{http://jabber.org/protocol/rsm}last")
            if not page or len(seen) >= 20:
                break
            assert len(page) < 20
            extra = f"<set xmlns='http://jabber.org/protocol/rsm'><after>{last}</after></set>"
            answer = await desk.fetch(PUBKEY, extra=extra)
        assert seen == names

    async def test_items_asked_for_by_id_must_fit_one_answer(self, desk: KeyDesk) -> None:
        for number in range(20):
            await desk.publish(PUBKEY, KEY.pubkey, f"k{number:02}")
        wanted = "".join(f"<item id='k{number:02}'/>" for number in range(20))
        ask = pubsub(f"<items node='{PUBKEY}'>{wanted}</items>")
        assert refusal(await desk.ask(ask, about=JULIET, type_="get"))[1] == "not-acceptable"


async def test_revocations_and_attestations_are_nodes_too(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.publish(PUBKEY, OTHER.pubkey, "other")
    assert result(await desk.publish(ATTEST, KEY.attestation(OTHER), "a"))
    assert result(await desk.publish(REVOKE, KEY.revocation(OTHER), "r"))
    assert list(await desk.items(ATTEST)) == ["a"]
    assert list(await desk.items(REVOKE)) == ["r"]
    assert list(await desk.items(PUBKEY)) == ["current"]
