"""IQs that the component itself sends: matched by id and by address, within a time."""

import asyncio
from xml.etree.ElementTree import Element, SubElement

import pytest

from stanzavault.runtime.stream import COMPONENT, Disconnected, Refusal

from .conftest import PATIENCE, Server, Start


def roster_get(to: str = "Romeo@Example.org", **head: str) -> Element:
    question = Element(f"{{{COMPONENT}}}iq", {"type": "get", "to": to, **head})
    SubElement(question, "{jabber:iq:roster}query")
    return question


async def test_the_answer_is_matched_by_id_and_by_the_prepared_address(server: Server, start: Start) -> None:
    vault = start()
    link = await server.established()
    await server.serves(link)
    question = roster_get(id="mine")
    asking = asyncio.create_task(vault.stream.request(question, 10.0))
    asked = await link.wait_for(lambda stanza: stanza.get("type") == "get")
    identifier = asked.attrib["id"]
    assert asked.get("from") == server.vault
    assert identifier != "mine"
    assert question.get("id") == "mine"
    for sender, asked_id in (
        ("mallory@example.org", identifier),
        ("romeo@example.org", "guessed"),
        ("romeo@example.org/x", identifier),
    ):
        await link.send(f"<iq type='result' id='{asked_id}' from='{sender}' to='{server.vault}'/>")
    await server.serves(link, "probe2")
    assert not asking.done()
    assert vault.observer.refusals == [Refusal.UNEXPECTED_RESPONSE] * 3
    await link.send(
        f"<iq type='result' id='{identifier}' from='romeo@example.org' to='{server.vault}'><q/></iq>"
    )
    async with asyncio.timeout(PATIENCE):
        assert (await asking)[0].tag == f"{{{COMPONENT}}}q"
    await link.send(f"<iq type='result' id='{identifier}' from='romeo@example.org' to='{server.vault}'/>")
    await server.serves(link, "probe3")
    assert len(vault.observer.refusals) == 4  # an answer counts once


async def test_an_error_is_an_answer(server: Server, start: Start) -> None:
    vault = start()
    link = await server.established()
    await server.serves(link)
    asking = asyncio.create_task(vault.stream.request(roster_get(), 10.0))
    asked = await link.wait_for(lambda stanza: stanza.get("type") == "get")
    await link.send(
        f"<iq type='error' id='{asked.get('id')}' from='romeo@example.org' to='{server.vault}'>"
        f"<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    )
    async with asyncio.timeout(PATIENCE):
        assert (await asking).get("type") == "error"


async def test_no_answer_in_time(server: Server, start: Start) -> None:
    vault = start()
    link = await server.established()
    await server.serves(link)
    with pytest.raises(TimeoutError):
        await vault.stream.request(roster_get(), 0.05)
    assert not vault.stream._requests


async def test_a_stream_that_ends_before_the_answer(server: Server, start: Start) -> None:
    vault = start()
    link = await server.established()
    await server.serves(link)
    asking = asyncio.create_task(vault.stream.request(roster_get(), 10.0))
    await link.wait_for(lambda stanza: stanza.get("type") == "get")
    link.abort()
    with pytest.raises(Disconnected):
        await asking
    with pytest.raises(Disconnected):
        await vault.stream.request(roster_get(), 10.0)
    with pytest.raises(Disconnected):
        await vault.stream.send("<message to='a@b'/>")


async def test_what_can_not_be_asked(server: Server, start: Start) -> None:
    vault = start()
    await server.serves(await server.established())
    for question in (roster_get("@"), roster_get(""), roster_get(type="result")):
        with pytest.raises(ValueError, match="a request"):
            await vault.stream.request(question, 1.0)
    bad = roster_get()
    bad[0].text = "\x00"
    with pytest.raises(ValueError, match="can't be sent"):
        await vault.stream.request(bad, 1.0)
    assert not vault.stream._requests
