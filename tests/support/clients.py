"""A real client, slixmpp's, logged in to a server on loopback: send, ask, and wait for what comes."""

import asyncio
import copy
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from xml.etree import ElementTree as ET

from slixmpp import JID, ClientXMPP
from slixmpp.xmlstream import XMLStream, tostring

from support.accounts import Account
from support.inbox import WAIT, Inbox, Wanted
from support.xmpp_server import XmppServer

CLIENT = "jabber:client"
_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"


class StanzaRefusedError(Exception):
    """An IQ was answered by an error."""

    def __init__(self, reply: ET.Element) -> None:
        error = reply.find(f"{{{CLIENT}}}error")
        assert error is not None, ET.tostring(reply, "unicode")
        self.reply = reply
        self.error = error
        self.type = error.get("type", "")
        self.condition = next(
            child.tag.removeprefix(f"{{{_ERRORS}}}")
            for child in error
            if child.tag.startswith(f"{{{_ERRORS}}}") and child.tag != f"{{{_ERRORS}}}text"
        )
        self.text = error.findtext(f"{{{_ERRORS}}}text", "")
        super().__init__(f"{self.condition} ({self.type}): {self.text}")


class Client(ClientXMPP):
    """One resource of an account; `inbox` holds what came, as elements of the `jabber:client` namespace."""

    def __init__(self, server: XmppServer, account: Account, resource: str) -> None:
        super().__init__(
            f"{account.jid}/{resource}",
            account.password,
            sasl_mech="PLAIN",
            plugin_config={"feature_mechanisms": {"unencrypted_plain": True}},
        )
        self.xmpp_server = server
        self.account = account
        self.enable_direct_tls = False
        self.enable_starttls = False
        self.enable_plaintext = True
        self.inbox = Inbox(self.boundjid.full)

    async def log_in(self, *, presence: bool = True) -> None:
        """Connect, authenticate, and (with `presence`) become available.

        Raises:
            PermissionError: the server refused the password.
        """
        outcome: asyncio.Future[bool] = self.loop.create_future()

        def settle(*, good: bool) -> None:
            if not outcome.done():
                outcome.set_result(good)

        self.add_event_handler("session_start", lambda _: settle(good=True))
        self.add_event_handler("failed_all_auth", lambda _: settle(good=False))
        self.connect(self.xmpp_server.host, self.xmpp_server.client_port)
        if not await asyncio.wait_for(outcome, WAIT):
            raise PermissionError(f"{self.boundjid.bare} could not log in")
        if presence:
            self.send_presence()
            full = self.boundjid.full
            await self.wait_for(lambda it: it.tag == f"{{{CLIENT}}}presence" and it.get("from") == full)

    async def log_out(self) -> None:
        """Close the stream as clients do, and wait until it is closed."""
        if self.transport is not None:
            await self.disconnect()
        await end_sending(self)

    async def iq_get(self, payload: ET.Element, *, to: str | None = None) -> ET.Element:
        """Ask with an IQ of type get; `to` nobody unless told. Returns the whole result.

        Raises:
            StanzaRefusedError: the answer is an error.
        """
        return await self._iq("get", payload, to)

    async def iq_set(self, payload: ET.Element, *, to: str | None = None) -> ET.Element:
        """Ask with an IQ of type set; `to` nobody unless told. Returns the whole result.

        Raises:
            StanzaRefusedError: the answer is an error.
        """
        return await self._iq("set", payload, to)

    async def _iq(self, kind: str, payload: ET.Element, to: str | None) -> ET.Element:
        iq = ET.Element(f"{{{CLIENT}}}iq", {"type": kind, "id": uuid.uuid4().hex})
        if to is not None:
            iq.set("to", to)
        iq.append(payload)
        reply = await self.iq_as_it_stands(iq)
        if reply.get("type") == "error":
            raise StanzaRefusedError(reply)
        return reply

    async def iq_as_it_stands(self, iq: ET.Element) -> ET.Element:
        """Send a whole IQ as it stands, and return the answer to it, be it a result or an error."""
        self.send_element(iq)
        return await self.wait_for(
            lambda it: (
                it.tag == f"{{{CLIENT}}}iq"
                and it.get("id") == iq.get("id")
                and it.get("type") in {"result", "error"}
            )
        )

    def send_element(self, stanza: ET.Element) -> None:
        """Send an element of the `jabber:client` namespace; `send_raw` sends text that need not be XML."""
        self.send_raw(tostring(stanza, xmlns=CLIENT, stream=self, top_level=True))

    async def wait_for(self, wanted: Wanted, *, within: float = WAIT) -> ET.Element:
        """Return the first stanza that `wanted` accepts and no earlier call returned, once it is here.

        Raises:
            TimeoutError: it did not come; the text lists what did.
        """
        return await self.inbox.wait_for(wanted, within=within)

    async def wait_for_message(self, *, sender: str | None = None, within: float = WAIT) -> ET.Element:
        """Return the next message, of a bare or full `sender` if one is given."""
        return await self.wait_for(
            lambda it: (
                it.tag == f"{{{CLIENT}}}message"
                and (sender is None or sender in {it.get("from"), JID(it.get("from", "")).bare})
            ),
            within=within,
        )

    async def pass_through(self, to: str | None = None) -> None:
        """Return once everything that the server sent to this client earlier has come.

        The server's answer can't overtake what it sent before on the same stream. With `to`, somebody else
        answers: what the vault sent before its answer is here when its answer is.
        """
        ping = ET.Element("{urn:xmpp:ping}ping")
        # An error is as good an answer.
        with suppress(StanzaRefusedError):
            await self.iq_get(ping, to=to or self.account.domain)

    def incoming_filter(self, xml: ET.Element) -> ET.Element:
        """Keep what comes, before slixmpp makes something of it."""
        self.inbox.put(copy.deepcopy(xml))
        return xml


async def end_sending(stream: XMLStream) -> None:
    """Wait for the task of slixmpp's that it leaves behind when a stream is closed."""
    task = stream._run_out_filters
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def logged_in(
    server: XmppServer, account: Account, resource: str = "test", *, presence: bool = True
) -> AsyncIterator[Client]:
    """Log a client in for the length of a block."""
    client = Client(server, account, resource)
    try:
        await client.log_in(presence=presence)
        yield client
    finally:
        await client.log_out()
