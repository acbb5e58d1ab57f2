"""The boundary and the stream beside a real server, with a slice that echoes in place of the vault's own."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from xml.etree.ElementTree import Element

from stanzavault.kernel.request import Request
from stanzavault.kernel.routing import Delegated, DiscoNode, IqRoute, Routes
from stanzavault.runtime.boundary import Addressing, Boundary, Pace, Privileges, ServerRoster, Terms
from stanzavault.runtime.stream import SilentObserver, Stream, StreamSettings
from stanzavault.wire.xml import element, qualified
from support.inbox import WAIT, Inbox
from support.xmpp_server import XmppServer

INFO = "http://jabber.org/protocol/disco#info"
OFFLINE = "http://jabber.org/protocol/offline"
PAYLOADS = ("{urn:xmpp:archive}list", "{urn:xmpp:pubkey:2}pubkeys", f"{{{OFFLINE}}}offline")
NAMESPACES = tuple(payload[1:].partition("}")[0] for payload in PAYLOADS)


class EchoingSlice:
    """Serves what the servers hand over, and tells in attributes how it came."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.presences: list[Request] = []

    def routes(self) -> Routes:
        """Serve the payloads, the node of XEP-0013, and whatever is left for accounts."""
        types = ("get", "set")
        return Routes(
            iqs=tuple(IqRoute(type_, payload, self._echo) for payload in PAYLOADS for type_ in types),  # type: ignore[arg-type]  # mypy widens the words
            nodes=(DiscoNode(OFFLINE, self._info, self._items),),
            delegated=tuple(Delegated(name, (name,), (f"{name}#account",)) for name in NAMESPACES),
            component_features=NAMESPACES,
            account_features=NAMESPACES,
            presence=self._take,
        )

    async def _echo(self, request: Request) -> Element:
        self.requests.append(request)
        return element(request.payload.tag, {
            "way": request.way.value, "principal": str(request.principal.address),
            "account": str(request.account), "own": str(request.is_own),
        })  # fmt: skip

    async def _take(self, request: Request) -> None:
        self.presences.append(request)

    async def _info(self, request: Request) -> Sequence[Element]:
        return [element(qualified(INFO, "feature"), {"var": f"for {request.account}"})]

    async def _items(self, request: Request) -> Sequence[Element]:
        item = {"jid": str(request.account), "node": "first"}
        return [element("{http://jabber.org/protocol/disco#items}item", {**item})]


class _Told(SilentObserver):
    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()

    def settled(self, kind: str, outcome: str, seconds: float) -> None:
        """Count it."""
        self.outcomes[kind, outcome] += 1


class Beside:
    """Stream and boundary of one component; `inbox` holds what the server sent."""

    def __init__(self, server: XmppServer) -> None:
        self.server = server
        self.slice = EchoingSlice()
        self.inbox = Inbox(server.vault)
        self.told = _Told()
        self.privileges = Privileges()
        settings = StreamSettings(
            jid=server.vault, secret=server.secret, host=server.host, port=server.component_port
        )
        self.stream = Stream(settings, self._handle, queue_key=self._key, observer=self.told)
        self.roster = ServerRoster(server.vault, self.privileges, self.stream)
        self.boundary = Boundary(
            Addressing(server.vault, [server.domain]),
            Terms(reply=128 * 1024, pace=Pace(10_000, 10_000), answer_within=20, version="1.2.3"),
            [self.slice.routes(), self.roster.routes()],
            self.privileges,
            self.stream,
            observer=self.told,
            correlated=lambda _: nullcontext(),
        )

    async def _handle(self, stanza: Element, waited: float) -> None:
        await self.boundary.handle(stanza, waited)
        self.inbox.put(stanza)

    def _key(self, stanza: Element) -> str:
        return self.boundary.queue_key(stanza)

    async def wait_until_handed_over(self) -> None:
        """Return when the server has told what it hands over and allows, and learnt what to nest."""
        # ejabberd tells each namespace twice, for the host and for its accounts, once it was told what to
        # nest. Prosody asks that before it tells, and never again however often a component comes back.
        notices = len(NAMESPACES) * (2 if self.server.kind == "ejabberd" else 1)
        delegated = 0
        while delegated < notices:
            notice = await self.inbox.wait_for(lambda it: any(_is_delegated(child) for child in it.iter()))
            delegated += sum(map(_is_delegated, notice.iter()))
        await self.inbox.wait_for(lambda it: any(child.tag.endswith("}perm") for child in it.iter()))
        ping = element(qualified("jabber:component:accept", "iq"), {"type": "get", "to": self.server.domain})
        ping.append(element("{urn:xmpp:ping}ping"))
        await self.stream.request(ping, WAIT)  # answered behind all that we have answered


def _is_delegated(tree: Element) -> bool:
    return tree.tag.endswith("}delegated")


@asynccontextmanager
async def boundary_beside(server: XmppServer) -> AsyncIterator[Beside]:
    """Attach the boundary in the vault's place for the length of a block."""
    beside = Beside(server)
    running = asyncio.create_task(beside.stream.run())
    try:
        await beside.wait_until_handed_over()
        yield beside
    finally:
        await beside.stream.stop(5)
        await running
