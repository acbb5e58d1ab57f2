"""A server side of XEP-0114 that a test plays word by word, over a raw socket."""

import asyncio
import hashlib
from types import TracebackType
from typing import Self
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from support.inbox import WAIT, Inbox, Wanted
from support.ports import LOOPBACK
from support.xmpp_server import DOMAIN, VAULT, new_secret

COMPONENT = "jabber:component:accept"
STREAMS = "http://etherx.jabber.org/streams"


class ComponentLink:
    """One connection of a component, seen from the server; `inbox` holds its top-level elements.

    Nothing is said for the test: it sends what it wants when it wants, well-formed or not.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: str) -> None:
        self._reader = reader
        self._writer = writer
        self._secret = secret
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._header: asyncio.Future[ET.Element] = asyncio.get_running_loop().create_future()
        self.inbox = Inbox("the server side")
        self.received = bytearray()
        """Every byte that the component has sent."""
        self.footer = asyncio.Event()
        """Set once the component has closed its stream with the end tag."""
        self.closed = asyncio.Event()
        """Set once the component has closed the connection."""
        self.not_xml: ET.ParseError | None = None
        """What was wrong with what the component sent, if it was no XML."""
        self._task = asyncio.create_task(self._read())

    async def header(self) -> ET.Element:
        """Wait for the component's stream header and return it, still open."""
        return await asyncio.wait_for(asyncio.shield(self._header), WAIT)

    async def open(self, stream_id: str = "stream-1", *, sender: str | None = None) -> None:
        """Wait for the component's stream header and answer it with one of this `stream_id`."""
        to = (await self.header()).get("to", "")
        await self.send(
            f"<?xml version='1.0'?><stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}'"
            f" from={quoteattr(sender or to)} id={quoteattr(stream_id)}>"
        )

    async def handshake(self) -> str:
        """Wait for the component's handshake and return its digest."""
        element = await self.wait_for(lambda it: it.tag == f"{{{COMPONENT}}}handshake")
        return element.text or ""

    def digest(self, stream_id: str = "stream-1") -> str:
        """Return the digest that a component with the right secret sends (XEP-0114, section 3)."""
        return hashlib.sha1(f"{stream_id}{self._secret}".encode()).hexdigest()

    async def establish(self, stream_id: str = "stream-1") -> None:
        """Do the whole handshake as a sound server does.

        Raises:
            PermissionError: the digest is wrong.
        """
        await self.open(stream_id)
        if await self.handshake() != self.digest(stream_id):
            raise PermissionError("the component does not know the secret")
        await self.send("<handshake/>")

    async def send(self, text: str | bytes) -> None:
        """Send characters or bytes as they stand."""
        self._writer.write(text.encode() if isinstance(text, str) else text)
        await self._writer.drain()

    async def wait_for(self, wanted: Wanted, *, within: float = WAIT) -> ET.Element:
        """Return the first element that `wanted` accepts and no earlier call returned, once it is here.

        Raises:
            TimeoutError: it did not come; the text lists what did.
        """
        return await self.inbox.wait_for(wanted, within=within)

    def stop_reading(self) -> None:
        """Read nothing any more, so that the component's answers pile up."""
        self._may_read.clear()

    def read_again(self) -> None:
        """Go on reading."""
        self._may_read.set()

    async def close(self) -> None:
        """Close the connection, without an end tag."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    def abort(self) -> None:
        """Cut the connection: the component sees a reset."""
        self._writer.transport.abort()

    async def _read(self) -> None:
        parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(["start", "end"])
        depth = 0
        try:
            while data := await self._reader.read(65536):
                self.received += data
                if self.not_xml is None:
                    depth = self._parse(parser, data, depth)
                await self._may_read.wait()
        except ConnectionError:
            pass  # a reset is an end like any other
        finally:
            self.closed.set()

    def _parse(self, parser: "ET.XMLPullParser[ET.Element]", data: bytes, depth: int) -> int:
        try:
            parser.feed(data)
            for event, *rest in parser.read_events():
                element = rest[0]
                assert isinstance(element, ET.Element)
                depth += 1 if event == "start" else -1
                if event == "start" and depth == 1:
                    self._header.set_result(element)
                elif event == "end" and depth == 1:
                    self.inbox.put(element)
                elif event == "end" and depth == 0:
                    self.footer.set()
        except ET.ParseError as error:
            self.not_xml = error
        return depth


class ServerSide:
    """Listens on loopback for components, and gives the test each connection as it comes.

    It has the attributes that a vault's settings need, so that a `Vault` can be told to attach to it.
    """

    host = LOOPBACK
    vault = VAULT
    domain = DOMAIN

    def __init__(self) -> None:
        self.secret = new_secret()
        self.component_port = 0
        self._connections: asyncio.Queue[ComponentLink] = asyncio.Queue()
        self._links: list[ComponentLink] = []

    async def __aenter__(self) -> Self:
        """Start to listen."""
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop to listen, and close every connection."""
        self.refuse()
        await asyncio.gather(*(link.close() for link in self._links))

    async def listen(self) -> None:
        """Take connections: on a free port, or on the same one again after `refuse`."""
        self._server = await asyncio.start_server(self._connected, self.host, self.component_port)
        self.component_port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Take no more connections; those that are there stay."""
        self._server.close()

    @property
    def connection_count(self) -> int:
        """How many connections have come so far."""
        return len(self._links)

    async def connection(self, *, within: float = WAIT) -> ComponentLink:
        """Return the next connection, once it has come.

        Raises:
            TimeoutError: none came `within` seconds.
        """
        return await asyncio.wait_for(self._connections.get(), within)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = ComponentLink(reader, writer, self.secret)
        self._links.append(link)
        self._connections.put_nowait(link)
