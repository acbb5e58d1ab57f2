"""A boundary with a slice that echoes, before a stream that only remembers what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from stanzavault.kernel.request import Request, Way
from stanzavault.kernel.routing import Delegated, DiscoNode, IqRoute, Routes
from stanzavault.runtime.boundary import Addressing, Boundary, Pace, Privileges, Terms
from stanzavault.runtime.stream import to_wire
from stanzavault.wire.xml import element, qualified

COMPONENT = "jabber:component:accept"
ECHO = "urn:example:echo"
NODE = "urn:example:node"


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Desk:
    """The boundary and all around it.

    `echo` tells in attributes what the request was; what else a handler does is put into `serve`.
    """

    def __init__(self, answer_within: float = 5.0, burst: int = 10_000, reply: int = 4096) -> None:
        self.sent: list[Element] = []
        self.asked: list[Request] = []
        self.outcomes: list[tuple[str, str]] = []
        self.seconds: list[float] = []
        self.correlated: list[str] = []
        self.clock = Clock()
        self.privileges = Privileges()
        self.serve: Callable[[Request], object] = lambda _: None
        self.refuse_to_send: list[Exception] = []
        self.boundary = Boundary(
            Addressing("vault.example.org", ("example.org", "example.net")),
            Terms(reply=reply, pace=Pace(1, burst), answer_within=answer_within, version="1.2.3"),
            [self.routes()],
            self.privileges,
            self,
            observer=self,
            correlated=self.correlate,
            now=self.clock,
        )

    def routes(self) -> Routes:
        return Routes(
            iqs=(
                IqRoute("get", qualified(ECHO, "echo"), self.echo),
                IqRoute("set", qualified(ECHO, "echo"), self.echo),
                IqRoute("get", qualified(ECHO, "wrapped"), self.echo, frozenset({Way.HANDED_OVER})),
            ),
            nodes=(DiscoNode(NODE, self.info, self.items),),
            delegated=(Delegated(ECHO, (ECHO, f"{ECHO}#host"), (ECHO, f"{ECHO}#account")),),
            component_features=(ECHO, "urn:example:of-the-component"),
            account_features=(ECHO, "urn:example:of-the-account"),
            message=self.take,
            presence=self.take,
        )

    async def echo(self, request: Request) -> Element | None:
        await self.take(request)
        answer = element(request.payload.tag, {
            "way": request.way.value, "principal": str(request.principal.address),
            "account": str(request.account), "own": str(request.is_own),
        })  # fmt: skip
        answer.text = request.payload.text
        answer.extend(request.payload)
        return answer

    async def take(self, request: Request) -> None:
        self.asked.append(request)
        result = self.serve(request)
        if asyncio.iscoroutine(result):
            await result

    async def info(self, request: Request) -> list[Element]:
        return [
            element(
                qualified("http://jabber.org/protocol/disco#info", "feature"), {"var": str(request.account)}
            )
        ]

    async def items(self, request: Request) -> list[Element]:
        return [
            element(
                qualified("http://jabber.org/protocol/disco#items", "item"), {"jid": str(request.account)}
            )
        ]

    def correlate(self, request_id: str) -> AbstractContextManager[None]:
        self.correlated.append(request_id)
        return nullcontext()

    def settled(self, kind: str, outcome: str, seconds: float) -> None:
        self.outcomes.append((kind, outcome))
        self.seconds.append(seconds)

    # What the boundary sends with and tells.

    async def send(self, stanza: Element) -> None:
        if self.refuse_to_send:
            raise self.refuse_to_send.pop(0)
        to_wire(stanza)  # as the stream does, which raises ValueError for what is no XML
        self.sent.append(stanza)

    async def request(self, iq: Element, within: float) -> Element:
        raise AssertionError("the boundary asks nobody")

    # What a test says.

    async def hand(self, stanza: Element | str, waited: float = 0.0) -> Element | None:
        """Hand a stanza to the boundary; the one answer to it, or None."""
        tree = ET.fromstring(stanza) if isinstance(stanza, str) else stanza
        before = len(self.sent)
        await self.boundary.handle(tree, waited)
        answers = self.sent[before:]
        assert len(answers) <= 1
        return answers[0] if answers else None

    async def ask(
        self,
        payload: str,
        *,
        to: str = "vault.example.org",
        sender: str = "juliet@example.org/balcony",
        type_: str = "get",
    ) -> Element:
        """The answer to an IQ."""
        iq = element(qualified(COMPONENT, "iq"), {"type": type_, "id": "1", "from": sender, "to": to})
        iq.append(ET.fromstring(payload))
        answer = await self.hand(iq)
        assert answer is not None
        return answer

    async def hand_over(
        self,
        payload: str,
        *,
        to: str | None = None,
        sender: str = "juliet@example.org/balcony",
        server: str = "example.org",
        version: int = 2,
    ) -> Element:
        """The outer answer to an IQ that a server hands over."""
        inner = element("{jabber:client}iq", {"type": "get", "id": "inner", "from": sender, "to": to})
        inner.append(ET.fromstring(payload))
        delegation = element(f"{{urn:xmpp:delegation:{version}}}delegation")
        forwarded = element("{urn:xmpp:forward:0}forwarded")
        forwarded.append(inner)
        delegation.append(forwarded)
        outer = element(
            qualified(COMPONENT, "iq"),
            {"type": "set", "id": "outer", "from": server, "to": "vault.example.org"},
        )
        outer.append(delegation)
        answer = await self.hand(outer)
        assert answer is not None
        return answer


def condition(answer: Element) -> str | None:
    """The condition of a stanza error, None for what is none."""
    for child in answer:
        if child.tag.endswith("}error") and answer.get("type") == "error":
            return child[0].tag.removeprefix("{urn:ietf:params:xml:ns:xmpp-stanzas}")
    return None


def error_text(answer: Element) -> str:
    return answer.findtext("*/{urn:ietf:params:xml:ns:xmpp-stanzas}text") or ""


def inside(answer: Element) -> Element:
    """The stanza within the answer to what was handed over."""
    assert answer.get("type") == "result"
    (delegation,) = answer
    (forwarded,) = delegation
    assert forwarded.tag == "{urn:xmpp:forward:0}forwarded"
    (inner,) = forwarded
    return inner
