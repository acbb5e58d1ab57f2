"""The scripted server side: what it hears, and what a sound component makes of it."""

import asyncio
from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import pytest
from slixmpp import ComponentXMPP

from support.clients import end_sending
from support.server_side import COMPONENT, ServerSide


@pytest.fixture
async def server_side() -> AsyncIterator[ServerSide]:
    async with ServerSide() as listening:
        yield listening


async def test_a_component_is_established_and_answers(server_side: ServerSide) -> None:
    component = ComponentXMPP(
        server_side.vault, server_side.secret, server_side.host, server_side.component_port
    )  # type: ignore[no-untyped-call]  # slixmpp has no types here
    component.connect()
    link = await server_side.connection()
    await link.establish("s-1")
    await link.send(
        f"<iq type='get' id='1' from='a@example.org' to='{server_side.vault}'><query xmlns='x'/></iq>"
    )
    answer = await link.wait_for(lambda it: it.tag == f"{{{COMPONENT}}}iq" and it.get("id") == "1")
    assert answer.get("type") == "error"
    await component.disconnect()
    await asyncio.wait_for(link.footer.wait(), 5)
    await end_sending(component)


async def test_a_wrong_secret_is_told_from_the_right_one(server_side: ServerSide) -> None:
    reader, writer = await asyncio.open_connection(server_side.host, server_side.component_port)
    writer.write(
        f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='http://etherx.jabber.org/streams' to='v'>".encode()
    )
    writer.write(b"<handshake>0000</handshake>")
    link = await server_side.connection()
    assert (await link.header()).get("to") == "v"
    with pytest.raises(PermissionError):
        await link.establish()
    header = await asyncio.wait_for(reader.readuntil(b'id="stream-1">'), 5)
    assert b"xmlns='jabber:component:accept'" in header
    writer.close()
    await asyncio.wait_for(link.closed.wait(), 5)
    await writer.wait_closed()


async def test_what_is_no_xml_is_told(server_side: ServerSide) -> None:
    _, writer = await asyncio.open_connection(server_side.host, server_side.component_port)
    writer.write(b"<stream:stream></no>")
    link = await server_side.connection()
    writer.close()
    await writer.wait_closed()
    await asyncio.wait_for(link.closed.wait(), 5)
    assert isinstance(link.not_xml, ET.ParseError)
    assert link.received == b"<stream:stream></no>"


async def test_it_listens_again_on_the_same_port(server_side: ServerSide) -> None:
    port = server_side.component_port
    server_side.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(server_side.host, port)
    await server_side.listen()
    _, writer = await asyncio.open_connection(server_side.host, port)
    await server_side.connection()
    assert server_side.connection_count == 1
    writer.close()
    await writer.wait_closed()
