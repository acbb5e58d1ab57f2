"""Encrypted sessions negotiated by two slixmpp clients through real servers, in each variant (XEP-0116)."""

from pathlib import Path

from support.accounts import new_account
from support.session_clients import session_client
from support.xmpp_server import XmppServer


async def test_four_messages_without_keys_make_a_session_with_equal_strings(
    server: XmppServer, tmp_path: Path
) -> None:
    alice, bob = await new_account(server, "alice"), await new_account(server, "bob")
    async with (
        session_client(server, alice, tmp_path) as one,
        session_client(server, bob, tmp_path) as other,
    ):
        session = await one.sessions.open(other.address)
        theirs = (await other.event_of("esession_active")).session
        assert session.encrypted
        assert session.sas == theirs.sas is not None
        await session.send(body="Wherefore art thou?")
        message = await other.event_of("esession_message")
        assert message.stanza["body"] == "Wherefore art thou?"
        await theirs.send(body="Neither, fair saint")
        assert (await one.event_of("esession_message")).stanza["body"] == "Neither, fair saint"
        await session.end()
        await other.event_of("esession_end")
        assert not list(one.sessions)
        assert not list(other.sessions)
