"""A plain slixmpp component: in the vault's place where the harness is tested, elsewhere a rogue."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

from slixmpp import ComponentXMPP
from slixmpp.xmlstream import tostring

from support.clients import end_sending
from support.inbox import WAIT, Inbox
from support.xmpp_server import XmppServer

COMPONENT = "jabber:component:accept"

Answer = Callable[[ET.Element], Awaitable[ET.Element | None] | ET.Element | None]
"""What a component says to a stanza, both of the `jabber:component:accept` namespace; None for nothing."""


class Component(ComponentXMPP):
    """A component that hands every stanza to one function, and keeps what came in `inbox`."""

    def __init__(self, jid: str, secret: str, answer: Answer) -> None:
        super().__init__(jid, secret)  # type: ignore[no-untyped-call]  # slixmpp has no types here
        self._answer = answer
        self.inbox = Inbox(jid)
        self._tasks: set[asyncio.Task[None]] = set()

    def incoming_filter(self, xml: ET.Element) -> ET.Element:
        """Hand the stanza over before slixmpp makes something of it."""
        if self.sessionstarted and xml.tag.startswith(f"{{{COMPONENT}}}"):
            self.inbox.put(xml)
            task = asyncio.get_running_loop().create_task(self._serve(xml))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            # slixmpp's own handlers find nothing to answer in this.
            return ET.Element("{stanzavault:tests}taken")
        return xml

    async def _serve(self, stanza: ET.Element) -> None:
        answer = self._answer(stanza)
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer is not None:
            self.send_element(answer)

    def send_element(self, stanza: ET.Element) -> None:
        """Send an element of the `jabber:component:accept` namespace."""
        self.send_raw(tostring(stanza, xmlns=COMPONENT, stream=self, top_level=True))


@asynccontextmanager
async def attached(
    server: XmppServer,
    answer: Answer,
    *,
    jid: str | None = None,
    secret: str | None = None,
    port: int | None = None,
) -> AsyncIterator[Component]:
    """Attach a component for the length of a block: in the vault's place unless told otherwise.

    Raises:
        TimeoutError: the server did not take it within ten seconds.
    """
    component = Component(jid or server.vault, secret or server.secret, answer)
    started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    component.add_event_handler("session_start", lambda _: started.set_result(None))
    component.connect(server.host, port or server.component_port)
    try:
        await asyncio.wait_for(started, WAIT)
        yield component
    finally:
        await component.disconnect()
        await end_sending(component)


def answer_to(iq: ET.Element, *payload: ET.Element) -> ET.Element:
    """Return the result of an IQ, to be sent back."""
    attributes = {
        "type": "result",
        "id": iq.get("id", ""),
        "to": iq.get("from", ""),
        "from": iq.get("to", ""),
    }
    result = ET.Element(iq.tag, attributes)
    result.extend(payload)
    return result
