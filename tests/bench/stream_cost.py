"""What one IQ costs the component: stock slixmpp, slixmpp with its dispatch bypassed, and our stream.

Run it as ``python tests/bench/stream_cost.py``. The server side is a raw loopback socket in a process of its
own, with so many IQs in flight; CPU is the component's process time per IQ. Ratios mean more than figures.
"""

import argparse
import asyncio
import multiprocessing
import socket
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from xml.etree.ElementTree import Element

import uvloop
from slixmpp import ComponentXMPP
from slixmpp.stanza import Iq
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from stanzavault.runtime.stream import COMPONENT, SilentObserver, Stream, StreamSettings

HEADER = (
    b"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
    b" from='vault.localhost' id='bench'>"
)
VERSION = "jabber:iq:version"
ANSWER = f'<query xmlns="{VERSION}"><name>stanzavault</name><version>1</version><os>a &amp; b</os></query>'


def iq(number: int) -> bytes:
    return (
        f"<iq type='get' id='q{number}' from='user{number % 16}@localhost/home' to='vault.localhost'"
        f" xml:lang='en'>"
        f"<query xmlns='{VERSION}'/></iq>"
    ).encode()


def serve(report: Connection, count: int, in_flight: int) -> None:
    """The server side: one connection, the handshake, then IQs, as many unanswered as told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        report.send(listener.getsockname()[1])
        link, _ = listener.accept()
    with link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.recv(4096)
        link.sendall(HEADER)
        while b"</handshake>" not in link.recv(4096):
            pass
        link.sendall(b"<handshake/>")
        for size, measured in ((count // 10, False), (count, True)):
            started = time.perf_counter()
            if measured:
                report.send("start")
                report.recv()
            exchange(link, size, in_flight)
            if measured:
                report.send(time.perf_counter() - started)
        report.recv()


def exchange(link: socket.socket, count: int, in_flight: int) -> None:
    sent = answered = 0
    rest = b""
    while answered < count:
        more = min(count - sent, in_flight - (sent - answered))
        if more > 0:
            link.sendall(b"".join(iq(number) for number in range(sent, sent + more)))
            sent += more
        received = rest + link.recv(256 * 1024)
        answered += received.count(b"</iq>")
        rest = received[received.rfind(b"</iq>") + 5 :] if b"</iq>" in received else received


class Stock(ComponentXMPP):
    """Stanza objects in and out, as the slixmpp documentation shows it."""

    def __init__(self, port: int) -> None:
        super().__init__("vault.localhost", "secret", "127.0.0.1", port)
        self.register_handler(
            Callback("version", MatchXPath(f"{{{COMPONENT}}}iq/{{{VERSION}}}query"), self.answer)
        )

    def answer(self, request: Iq) -> None:
        reply = request.reply()
        query = Element(f"{{{VERSION}}}query")
        for name, text in (("name", "stanzavault"), ("version", "1"), ("os", "a & b")):
            child = Element(f"{{{VERSION}}}{name}")
            child.text = text
            query.append(child)
        reply.set_payload(query)
        reply.send()


class StockRaw(Stock):
    """A stock handler that writes a ready string."""

    def answer(self, request: Iq) -> None:
        self.send_raw(raw_answer(request.xml))


class Bypassed(Stock):
    """slixmpp's parser and socket, without its stanza objects and events."""

    def _spawn_event(self, xml: Element) -> None:
        if xml.tag == f"{{{COMPONENT}}}iq":
            self.send_raw(raw_answer(xml))
        else:
            super()._spawn_event(xml)


def raw_answer(xml: Element) -> str:
    return (
        f'<iq type="result" id="{xml.get("id")}" from="{xml.get("to")}" to="{xml.get("from")}">{ANSWER}</iq>'
    )


async def run_slixmpp(kind: type[Stock], port: int, done: asyncio.Event) -> None:
    component = kind(port)
    component.connect()
    await done.wait()
    await component.disconnect(0.1)


async def run_stream(port: int, done: asyncio.Event, *, elements: bool) -> None:
    async def answer_text(request: Element, _waited: float) -> None:
        await stream.send(raw_answer(request))

    async def answer_element(request: Element, _waited: float) -> None:
        head = {
            "type": "result",
            "id": request.attrib["id"],
            "from": request.attrib["to"],
            "to": request.attrib["from"],
        }
        reply = Element(f"{{{COMPONENT}}}iq", head)
        query = Element(f"{{{VERSION}}}query")
        for name, text in (("name", "stanzavault"), ("version", "1"), ("os", "a & b")):
            child = Element(f"{{{VERSION}}}{name}")
            child.text = text
            query.append(child)
        reply.append(query)
        await stream.send(reply)

    settings = StreamSettings(jid="vault.localhost", secret="secret", host="127.0.0.1", port=port)
    stream = Stream(
        settings,
        answer_element if elements else answer_text,
        queue_key=lambda request: request.attrib["from"],
        observer=SilentObserver(),
    )
    running = asyncio.create_task(stream.run())
    await done.wait()
    await stream.stop(1.0)
    await running


Component = Callable[[int, asyncio.Event], Awaitable[None]]

COMPONENTS: dict[str, Component] = {
    "slixmpp, stanza objects": lambda port, done: run_slixmpp(Stock, port, done),
    "slixmpp, raw string reply": lambda port, done: run_slixmpp(StockRaw, port, done),
    "slixmpp, dispatch bypassed": lambda port, done: run_slixmpp(Bypassed, port, done),
    "our stream, element reply": lambda port, done: run_stream(port, done, elements=True),
    "our stream, raw string reply": lambda port, done: run_stream(port, done, elements=False),
}


async def measure(component: Component, count: int, in_flight: int) -> tuple[float, float]:
    """IQs a second, and microseconds of the component's CPU for each."""
    loop = asyncio.get_running_loop()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, count, in_flight))
    server.start()
    try:
        port = await loop.run_in_executor(None, ours.recv)
        done = asyncio.Event()
        running = asyncio.ensure_future(component(port, done))
        await loop.run_in_executor(None, ours.recv)
        cpu = time.process_time()
        ours.send("go")
        seconds = await loop.run_in_executor(None, ours.recv)
        cpu = time.process_time() - cpu
        ours.send("end")
        done.set()
        await running
    finally:
        await loop.run_in_executor(None, server.join)
    return count / seconds, cpu / count * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=30_000, help="IQs in a run")
    parser.add_argument("--in-flight", type=int, default=100, help="IQs unanswered at once")
    parser.add_argument("--runs", type=int, default=3, help="of which the median is shown")
    arguments = parser.parse_args()
    loops = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    baseline: tuple[float, float] | None = None
    print(f"{'component':<32}{'loop':<10}{'iq/s':>8}{'us/iq':>8}{'speed':>8}{'cpu':>8}")
    for name, component in COMPONENTS.items():
        for loop_name, factory in loops.items():
            runs = []
            for _ in range(arguments.runs):
                with asyncio.Runner(loop_factory=factory) as runner:
                    runs.append(runner.run(measure(component, arguments.count, arguments.in_flight)))
            speed, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
            baseline = baseline or (speed, cpu)
            ratios = f"{speed / baseline[0]:>7.2f}x{cpu / baseline[1]:>7.2f}x"
            print(f"{name:<32}{loop_name:<10}{speed:>8.0f}{cpu:>8.1f}{ratios}", flush=True)


if __name__ == "__main__":
    main()
