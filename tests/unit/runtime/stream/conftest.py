"""A running stream, an observer that remembers, and the raw server side that it is connected to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from stanzavault.runtime.stream import (
    COMPONENT,
    Failure,
    FailureReason,
    ReconnectPace,
    Refusal,
    Stream,
    StreamSettings,
)
from support.server_side import ComponentLink, ServerSide

Handle = Callable[[Element], Awaitable[None]]
PATIENCE = 10.0
AT_ONCE = ReconnectPace(first=0.01, cap=0.01)


class Recorder:
    """An observer that wakes whoever waits for something to have happened."""

    def __init__(self) -> None:
        self.established = 0
        self.failures: list[Failure] = []
        self.delays: list[float] = []
        self.accepted: list[str] = []
        self.refusals: list[Refusal] = []
        self.handled: list[tuple[str, bool]] = []
        self._happened = asyncio.Event()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._happened.clear()
                await self._happened.wait()

    def handler_began(self) -> None:
        self._happened.set()

    def connection_established(self) -> None:
        self.established += 1
        self._happened.set()

    def connection_ended(self, failure: Failure) -> None:
        self.failures.append(failure)
        self._happened.set()

    def reconnect_scheduled(self, delay: float) -> None:
        self.delays.append(delay)
        self._happened.set()

    def stanza_accepted(self, kind: str) -> None:
        self.accepted.append(kind)
        self._happened.set()

    def stanza_refused(self, kind: str, refusal: Refusal) -> None:
        self.refusals.append(refusal)
        self._happened.set()

    def stanza_handled(self, kind: str, seconds: float, *, failed: bool) -> None:
        self.handled.append((kind, failed))
        self._happened.set()


class Vault:
    """A running stream whose handler answers every IQ, unless a test gives another."""

    def __init__(self, settings: StreamSettings, handle: Handle | None) -> None:
        self.observer = Recorder()
        self.handled: list[Element] = []
        self.waited: list[float] = []
        self._behaviour = handle or self.echo
        self.stream = Stream(
            settings,
            self._handle,
            queue_key=lambda stanza: stanza.attrib["from"].partition("/")[0],
            observer=self.observer,
        )
        self.running = asyncio.create_task(self.stream.run())

    async def _handle(self, stanza: Element, waited: float) -> None:
        self.waited.append(waited)
        self.observer.handler_began()
        await self._behaviour(stanza)

    async def echo(self, stanza: Element) -> None:
        self.handled.append(stanza)
        if stanza.tag.endswith("}iq"):
            await self.stream.send(result(stanza))

    async def failure(self) -> Failure:
        """Why the first connection that failed or ended did so."""
        await self.observer.until(lambda: self.observer.failures)
        return self.observer.failures[0]

    @property
    def reasons(self) -> list[FailureReason]:
        return [failure.reason for failure in self.observer.failures]


def result(request: Element) -> Element:
    head = {name: request.attrib[source] for name, source in (("id", "id"), ("from", "to"), ("to", "from"))}
    return Element(f"{{{COMPONENT}}}iq", {"type": "result", **head})


class Server(ServerSide):
    """The raw server side, with what these tests say often."""

    async def established(self) -> ComponentLink:
        link = await self.connection()
        await link.establish()
        return link

    def iq(
        self,
        identifier: str,
        payload: str = "<query xmlns='jabber:iq:version'/>",
        *,
        user: str = "juliet",
        kind: str = "get",
    ) -> str:
        head = f"type='{kind}' id='{identifier}' from='{user}@{self.domain}/x' to='{self.vault}'"
        return f"<iq {head}>{payload}</iq>"

    async def answer(self, link: ComponentLink, identifier: str) -> Element:
        return await link.wait_for(lambda stanza: stanza.get("id") == identifier)

    async def serves(self, link: ComponentLink, identifier: str = "probe", *, user: str = "romeo") -> None:
        """The stream answers an ordinary IQ, and so has dealt with everything that was sent before."""
        await link.send(self.iq(identifier, user=user))
        assert (await self.answer(link, identifier)).get("type") == "result"

    async def error(self, link: ComponentLink, identifier: str) -> tuple[str | None, str]:
        """Type and condition of the stanza error that answers."""
        answer = await self.answer(link, identifier)
        assert answer.get("type") == "error"
        error = answer.find(f"{{{COMPONENT}}}error")
        assert error is not None
        return error.get("type"), error[0].tag.partition("}")[2]

    async def stream_error(self, link: ComponentLink) -> str:
        """Condition of the stream error with which the component closes its stream and the connection."""
        error = await link.wait_for(lambda stanza: stanza.tag == "{http://etherx.jabber.org/streams}error")
        async with asyncio.timeout(PATIENCE):
            await link.footer.wait()
            await link.closed.wait()
        assert link.not_xml is None
        assert error[0].tag.startswith("{urn:ietf:params:xml:ns:xmpp-streams}")
        return error[0].tag.partition("}")[2]


Start = Callable[..., Vault]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as server:
        yield server


@pytest.fixture
async def start(server: Server) -> AsyncIterator[Start]:
    vaults: list[Vault] = []

    def start_vault(handle: Handle | None = None, **settings: Any) -> Vault:
        base = StreamSettings(
            jid=server.vault, secret=server.secret, host=server.host, port=server.component_port
        )
        vaults.append(Vault(replace(base, **settings), handle))
        return vaults[-1]

    yield start_vault
    for vault in vaults:
        await vault.stream.stop(0.1)
        await vault.running
