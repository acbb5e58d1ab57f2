"""An account counts, lists, views and removes what waits for it, without a flood."""

from __future__ import annotations

from datetime import timedelta
from xml.etree.ElementTree import Element

import pytest

from stanzavault.kernel.limits import Limits
from stanzavault.offline.model import Window
from support.offline_desk import COMPONENT, VAULT, Deployment, Desk, condition

BALCONY = "juliet@example.org/balcony"
GARDEN = "juliet@example.org/garden"
OFFLINE = "http://jabber.org/protocol/offline"
RSM = "http://jabber.org/protocol/rsm"
NEVER_GIVEN = "000000000000001-" + "a" * 26


def info() -> str:
    return f"<query xmlns='http://jabber.org/protocol/disco#info' node='{OFFLINE}'/>"


def items(page: str = "") -> str:
    inner = f"<set xmlns='{RSM}'>{page}</set>" if page else ""
    return f"<query xmlns='http://jabber.org/protocol/disco#items' node='{OFFLINE}'>{inner}</query>"


def offline(inner: str) -> str:
    return f"<offline xmlns='{OFFLINE}'>{inner}</offline>"


def item(action: str, node: str) -> str:
    return f"<item action='{action}' node='{node}'/>"


async def left(desk: Desk, *texts: str) -> list[str]:
    """Leave messages and give back their nodes, as the headers show them."""
    await desk.meet()
    for text in texts:
        await desk.leave(text)
    return [it.get("node", "") for it in await desk.headers()]


async def number(desk: Desk) -> str:
    answer = await desk.ask(info())
    return answer.findtext(".//{jabber:x:data}field[@var='number_of_messages']/{jabber:x:data}value", "")


async def test_the_number_of_messages_is_told_at_the_node(desk: Desk) -> None:
    assert await number(desk) == "0"
    await left(desk, "one", "two")
    assert await number(desk) == "2"


async def test_the_number_is_told_by_account_and_handed_over_too(desk: Desk) -> None:
    await left(desk, "one")
    answer = await desk.ask(info(), to=f"juliet\\40example.org@{VAULT}")
    assert answer.get("type") == "result"
    answer = await desk.ask(
        "<delegation xmlns='urn:xmpp:delegation:2'><forwarded xmlns='urn:xmpp:forward:0'>"
        f"<iq xmlns='jabber:client' type='get' id='in' from='{BALCONY}'>{info()}</iq>"
        "</forwarded></delegation>",
        sender="example.org",
        type_="set",
    )
    value = answer.findtext(".//{jabber:x:data}field[@var='number_of_messages']/{jabber:x:data}value")
    assert value == "1"


async def test_headers_show_sender_and_node_in_order(desk: Desk) -> None:
    await desk.meet()
    for sender in ("romeo@montague.net/orchard", "mercutio@shakespeare.lit/pda"):
        await desk.leave(sender=sender)
    headers = await desk.headers()
    assert [it.get("name") for it in headers] == [
        "romeo@montague.net/orchard",
        "mercutio@shakespeare.lit/pda",
    ]
    assert {it.get("jid") for it in headers} == {"juliet@example.org"}
    nodes = [it.get("node", "") for it in headers]
    assert nodes == sorted(set(nodes))


async def test_an_account_without_messages_gets_an_empty_list(desk: Desk) -> None:
    assert await desk.headers() == []


async def test_some_are_viewed_in_order_with_their_nodes_and_stay(desk: Desk) -> None:
    nodes = await left(desk, "one", "two", "three")
    juliet = desk.session(BALCONY)
    answer = await desk.ask(offline(item("view", nodes[2]) + item("view", nodes[0]) + item("view", nodes[2])))
    assert answer.get("type") == "result"
    assert len(answer) == 0
    assert juliet.bodies == ["one", "three"]
    marks = [it.find(f"{{{OFFLINE}}}offline/{{{OFFLINE}}}item") for it in juliet.received]
    assert [mark.get("node") for mark in marks if mark is not None] == [nodes[0], nodes[2]]
    assert all(it.find("{urn:xmpp:delay}delay") is not None for it in juliet.received)
    assert desk.wire.sent[-1] is answer or desk.wire.sent[-1].get("id") == "q"
    assert len(desk.waiting()) == 3


async def test_all_are_fetched_before_the_result_and_stay(desk: Desk) -> None:
    texts = [str(number) for number in range(120)]
    await left(desk, *texts)
    juliet = desk.session(BALCONY)
    sent = await desk.hand(
        f"<iq xmlns='{COMPONENT}' type='get' id='q' from='{BALCONY}' to='{VAULT}'>{offline('<fetch/>')}</iq>"
    )
    assert juliet.bodies == texts
    assert [it.tag.split("}")[1] for it in sent] == ["message"] * 120 + ["iq"]
    assert len(desk.waiting()) == 120


async def test_some_are_removed(desk: Desk) -> None:
    nodes = await left(desk, "one", "two", "three")
    answer = await desk.ask(offline(item("remove", nodes[0]) + item("remove", nodes[1])), type_="set")
    assert answer.get("type") == "result"
    assert [it.get("node") for it in await desk.headers()] == nodes[2:]
    assert desk.usage()[1] == 1
    assert await number(desk) == "1"


async def test_all_are_purged(desk: Desk) -> None:
    await left(desk, "one", "two")
    answer = await desk.ask(offline("<purge/>"), type_="set")
    assert answer.get("type") == "result"
    assert desk.waiting() == []
    assert desk.usage() == (0, 0)


async def test_what_is_removed_is_gone_before_the_answer(desk: Desk) -> None:
    nodes = await left(desk, "one")
    seen: list[list[str]] = []
    desk.wire.before = lambda what: seen.append(desk.waiting()) if what == "send" else None
    await desk.ask(offline(item("remove", nodes[0])), type_="set")
    assert seen == [[]]


class TestRefusals:
    """Bad input gets a precise error and changes nothing."""

    @pytest.mark.parametrize(
        ("type_", "inner", "expected"),
        [
            ("get", "", "bad-request"),
            ("set", "", "bad-request"),
            ("get", "<purge/>", "bad-request"),
            ("set", "<fetch/>", "bad-request"),
            ("get", "<fetch/><fetch/>", "bad-request"),
            ("get", f"<fetch/>{item('view', NEVER_GIVEN)}", "bad-request"),
            ("get", item("remove", NEVER_GIVEN), "bad-request"),
            ("set", item("view", NEVER_GIVEN), "bad-request"),
            ("get", f"<item node='{NEVER_GIVEN}'/>", "bad-request"),
            ("get", "<item action='view'/>", "bad-request"),
            ("get", "<fetch all='1'/>", "bad-request"),
            ("get", "<item action='view' node='1' more='1'/>", "bad-request"),
            ("get", "<other/>", "bad-request"),
            ("get", item("view", NEVER_GIVEN), "item-not-found"),
            ("set", item("remove", NEVER_GIVEN), "item-not-found"),
            ("get", item("view", "2003-02-27T22:52:37.225Z"), "item-not-found"),
            ("get", item("view", "1 OR 1=1"), "item-not-found"),
            ("get", item("view", "f" * 15 + "-" + "a" * 26), "item-not-found"),
            ("get", item("view", "000000000000001-" + "z" * 26), "item-not-found"),
            (
                "get",
                f"<item action='view' jid='romeo@montague.net' node='{NEVER_GIVEN}'/>",
                "forbidden",
            ),
            ("get", f"<item action='view' jid='@' node='{NEVER_GIVEN}'/>", "jid-malformed"),
            ("get", item("view", NEVER_GIVEN) * 1001, "not-acceptable"),
        ],
    )
    async def test_each(self, desk: Desk, type_: str, inner: str, expected: str) -> None:
        await left(desk, "one")
        assert condition(await desk.ask(offline(inner), type_=type_)) == expected
        assert len(desk.waiting()) == 1

    async def test_one_unknown_node_refuses_all(self, desk: Desk) -> None:
        nodes = await left(desk, "one")
        juliet = desk.session(BALCONY)
        both = offline(item("view", nodes[0]) + item("view", NEVER_GIVEN))
        assert condition(await desk.ask(both)) == "item-not-found"
        assert juliet.received == []
        both = offline(item("remove", nodes[0]) + item("remove", NEVER_GIVEN))
        assert condition(await desk.ask(both, type_="set")) == "item-not-found"
        assert len(desk.waiting()) == 1
        assert desk.usage()[1] == 1

    @pytest.mark.parametrize("sender", ["romeo@montague.net/orchard", "mercutio@shakespeare.lit/pda"])
    async def test_another_account_is_forbidden_xep_0013(self, desk: Desk, sender: str) -> None:
        nodes = await left(desk, "one")
        to = f"juliet\\40example.org@{VAULT}"
        for type_, payload in [
            ("get", info()), ("get", items()), ("get", offline("<fetch/>")),
            ("get", offline(item("view", nodes[0]))), ("set", offline("<purge/>")),
            ("set", offline(item("remove", nodes[0]))),
        ]:  # fmt: skip
            answer = await desk.ask(payload, sender=sender, to=to, type_=type_)
            assert condition(answer) == "forbidden"
        assert len(desk.waiting()) == 1

    async def test_a_stranger_has_no_messages_of_its_own(self, desk: Desk) -> None:
        answer = await desk.ask(info(), sender="mercutio@shakespeare.lit/pda")
        assert condition(answer) == "forbidden"

    async def test_a_node_of_another_account_is_not_found(self, desk: Desk) -> None:
        nodes = await left(desk, "one")
        await desk.meet("romeo@montague.net")
        answer = await desk.ask(offline(item("view", nodes[0])), sender="romeo@montague.net/orchard")
        assert condition(answer) == "item-not-found"


class TestPages:
    """A list too long for one answer is paged (XEP-0059), so that nothing is left out in silence."""

    async def test_an_answer_is_cut_by_bytes_and_says_what_is_left(self, desk: Desk) -> None:
        desk.deployment = Deployment(limits=Limits(reply=4096))
        desk.start()
        nodes = await left(desk, *(str(number) for number in range(40)))
        assert 0 < len(nodes) < 40
        found: list[str | None] = []
        page = ""
        while True:
            answer = await desk.ask(items(page))
            entries = [it.get("node") for it in answer[0] if it.tag.endswith("}item")]
            if not entries:
                break
            found += entries
            assert answer.findtext(f".//{{{RSM}}}count") == "40"
            assert answer.findtext(f".//{{{RSM}}}last") == entries[-1]
            page = f"<after>{entries[-1]}</after>"
        assert len(found) == len(set(found)) == 40

    async def test_pages_backwards(self, desk: Desk) -> None:
        nodes = await left(desk, *"abcdefg")
        answer = await desk.ask(items("<max>3</max><before/>"))
        assert [it.get("node") for it in answer[0][:-1]] == nodes[4:]
        answer = await desk.ask(items(f"<max>3</max><before>{nodes[4]}</before>"))
        assert [it.get("node") for it in answer[0][:-1]] == nodes[1:4]
        answer = await desk.ask(items(f"<max>3</max><before>{nodes[0]}</before>"))
        assert len(answer[0]) == 1

    async def test_a_count_alone(self, desk: Desk) -> None:
        await left(desk, *"abc")
        answer = await desk.ask(items("<max>0</max>"))
        assert answer.findtext(f".//{{{RSM}}}count") == "3"
        assert len(answer[0]) == 1

    async def test_a_cursor_whose_message_was_removed_keeps_its_place(self, desk: Desk) -> None:
        nodes = await left(desk, *"abc")
        await desk.ask(offline(item("remove", nodes[1])), type_="set")
        answer = await desk.ask(items(f"<after>{nodes[1]}</after>"))
        assert [it.get("node") for it in answer[0][:-1]] == nodes[2:]

    @pytest.mark.parametrize(
        ("page", "expected"),
        [
            ("<after>'; DROP TABLE usage</after>", "item-not-found"),
            ("<before>x</before>", "item-not-found"),
            ("<index>1</index>", "feature-not-implemented"),
            ("<max>-1</max>", "bad-request"),
            ("<max>many</max>", "bad-request"),
        ],
    )
    async def test_wrong_pages(self, desk: Desk, page: str, expected: str) -> None:
        assert condition(await desk.ask(items(page))) == expected


class TestNoFlood:
    """A session that asked before its presence is not flooded (section 2.2)."""

    @pytest.mark.parametrize("question", [info(), items(), offline("<fetch/>")])
    async def test_who_asks_first_is_spared(self, desk: Desk, question: str) -> None:
        await left(desk, "one", "two")
        juliet = desk.session(BALCONY)
        await desk.ask(question)
        juliet.received.clear()
        await desk.presence(BALCONY)
        assert juliet.received == []
        assert len(desk.waiting()) == 2

    async def test_a_message_of_the_session_is_delivered_as_usual(self, desk: Desk) -> None:
        await left(desk, "before")
        juliet = desk.session(BALCONY)
        await desk.presence(BALCONY)
        for text in ("while there", "and another"):
            await desk.leave(text)
            await desk.idle()
        assert juliet.bodies == ["while there", "and another"]
        assert len(desk.waiting()) == 1

    async def test_a_second_session_is_not_flooded_while_the_first_is_there(self, desk: Desk) -> None:
        await left(desk, "one")
        desk.session(BALCONY)
        await desk.presence(BALCONY)
        garden = await desk.log_in(GARDEN)
        assert garden.received == []
        await desk.log_out(BALCONY)
        await desk.presence(GARDEN)
        assert garden.bodies == ["one"]

    async def test_a_second_session_is_not_flooded_while_the_first_has_sent_no_presence(
        self, desk: Desk
    ) -> None:
        await left(desk, "one")
        balcony = desk.session(BALCONY)
        garden = await desk.log_in(GARDEN)
        assert balcony.asked
        assert garden.received == []

    async def test_a_first_session_that_went_without_a_word_keeps_nobody_from_what_waits(
        self, desk: Desk
    ) -> None:
        await left(desk, "one")  # asked by the balcony, which the server does not know any more
        garden = await desk.log_in(GARDEN)
        assert garden.bodies == ["one"]

    async def test_a_session_that_asked_and_ended_untold_keeps_nobody_from_what_waits(
        self, desk: Desk
    ) -> None:
        await left(desk, "one")
        desk.session(BALCONY)
        await desk.presence(BALCONY)
        del desk.wire.sessions[BALCONY]
        garden = await desk.log_in(GARDEN)
        assert garden.bodies == ["one"]

    async def test_a_question_long_ago_counts_no_more(self, desk: Desk) -> None:
        await left(desk, "one")
        desk.session(BALCONY)
        desk.clock.move(timedelta(hours=2))
        garden = await desk.log_in(GARDEN)
        assert garden.bodies == ["one"]

    async def test_the_next_session_of_the_same_name_is_flooded_again(self, desk: Desk) -> None:
        await left(desk, "one")
        await desk.log_in()
        await desk.log_out()
        juliet = await desk.log_in()
        assert juliet.bodies == ["one"]


async def test_a_message_that_comes_and_goes_between_windows_stops_no_view(desk: Desk) -> None:
    nodes = await left(desk, *(str(number) for number in range(60)))
    juliet = desk.session(BALCONY)
    sending = desk.wire.send

    async def remove_the_last_then_send(stanza: Element) -> None:
        desk.wire.send = sending  # type: ignore[method-assign]
        await desk.ask(offline(item("remove", nodes[-1])), type_="set")
        await sending(stanza)

    desk.wire.send = remove_the_last_then_send  # type: ignore[method-assign]
    await desk.ask(offline("".join(item("view", node) for node in nodes)))
    assert len(nodes) > Window().messages
    assert juliet.bodies == [str(number) for number in range(59)]


async def test_features_are_advertised_where_xep_0013_and_0160_say(desk: Desk) -> None:
    for to in (VAULT, f"juliet\\40example.org@{VAULT}"):
        answer = await desk.ask("<query xmlns='http://jabber.org/protocol/disco#info'/>", to=to)
        features = {it.get("var") for it in answer[0]}
        assert {OFFLINE, "msgoffline", "urn:xmpp:sid:0"} <= features
    for node in (f"urn:xmpp:delegation:2::{OFFLINE}", f"urn:xmpp:delegation:1:bare:{OFFLINE}"):
        answer = await desk.ask(
            f"<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>", sender="example.org"
        )
        assert OFFLINE in {it.get("var") for it in answer[0]}
