"""Accounts of a test's own: random names, made by in-band registration (XEP-0077)."""

import asyncio
import secrets
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from support.inbox import WAIT
from support.xmpp_server import XmppServer

_STREAMS = "http://etherx.jabber.org/streams"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of a server."""

    user: str
    domain: str
    password: str = field(repr=False)

    @property
    def jid(self) -> str:
        """The bare JID."""
        return f"{self.user}@{self.domain}"


async def new_account(server: XmppServer, name: str = "user", *, domain: str | None = None) -> Account:
    """Register an account whose user part begins with `name` and is used by no other test.

    Raises:
        RuntimeError: the server refused.
    """
    account = Account(
        user=f"{name}-{secrets.token_hex(5)}", domain=domain or server.domain, password=secrets.token_hex(12)
    )
    await register(server, account)
    return account


async def register(server: XmppServer, account: Account) -> None:
    """Register an account as it stands: again, on a server that lost it when it was killed.

    Raises:
        RuntimeError: the server refused.
    """
    async with asyncio.timeout(WAIT):
        reader, writer = await asyncio.open_connection(server.host, server.client_port)
        try:
            await _register(account, reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()


async def _register(account: Account, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(
        f"<stream:stream xmlns='jabber:client' xmlns:stream='{_STREAMS}' version='1.0'"
        f" to={quoteattr(account.domain)}>"
        "<iq type='set' id='register'><query xmlns='jabber:iq:register'>"
        f"<username>{account.user}</username><password>{account.password}</password></query></iq>".encode()
    )
    parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(["end"])
    while data := await reader.read(4096):
        parser.feed(data)
        for *_, element in parser.read_events():
            if not isinstance(element, ET.Element) or element.tag != "{jabber:client}iq":
                continue
            if element.get("type") != "result":
                raise RuntimeError(f"{account.jid} was refused: {ET.tostring(element, 'unicode')}")
            return
    raise RuntimeError(f"{account.domain} closed the stream instead of registering {account.jid}")
