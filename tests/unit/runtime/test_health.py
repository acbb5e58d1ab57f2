"""Health and metrics over HTTP; health says no while the stream or the database is down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from stanzavault.config.values import Endpoint
from stanzavault.kernel.errors import OperatorError
from stanzavault.runtime import health
from stanzavault.runtime.health import HealthServer, Probes
from stanzavault.runtime.metrics import Metrics


@dataclass
class Vault:
    """What the probes find, and where the server listens."""

    stream: bool = True
    database: bool = True
    hangs: asyncio.Event | None = None
    at: Endpoint = field(default_factory=lambda: Endpoint("127.0.0.1", 0))

    async def database_reachable(self) -> bool:
        if self.hangs:
            await self.hangs.wait()
        return self.database

    async def bytes_stored(self) -> int | None:
        return 4096


@pytest.fixture
async def vault() -> AsyncIterator[Vault]:
    vault = Vault()
    registry = CollectorRegistry()
    metrics = Metrics(registry, stream_up=lambda: vault.stream, waiting=lambda: 0)
    server = HealthServer(
        registry, metrics, Probes(lambda: vault.stream, vault.database_reachable, vault.bytes_stored)
    )
    vault.at = await server.start(vault.at)
    yield vault
    await server.close()


@pytest.fixture
def send(vault: Vault) -> Callable[[bytes], Awaitable[bytes]]:
    async def send(data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(vault.at.host, vault.at.port)
        writer.write(data)
        try:
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()

    return send


@pytest.fixture
def get(send: Callable[[bytes], Awaitable[bytes]]) -> Callable[[str], Awaitable[tuple[int, str, str]]]:
    async def get(path: str) -> tuple[int, str, str]:
        answer = (await send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())).decode()
        head, _, content = answer.partition("\r\n\r\n")
        assert f"Content-Length: {len(content.encode())}\r\n" in head
        assert "Connection: close" in head
        return int(head.split()[1]), head, content

    return get


async def hung_up(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    ("stream", "database", "status"),
    [(True, True, 200), (False, True, 503), (True, False, 503), (False, False, 503)],
)
async def test_health_says_no_while_the_stream_or_the_database_is_down_and_names_it(
    vault: Vault, get, stream: bool, database: bool, status: int
) -> None:
    vault.stream, vault.database = stream, database
    found, head, content = await get("/health")
    assert found == status
    assert "Content-Type: application/json" in head
    assert json.loads(content) == {
        "status": "ok" if status == 200 else "down",
        "stream": "up" if stream else "down",
        "database": "up" if database else "down",
    }


async def test_a_database_that_does_not_answer_counts_as_down(vault: Vault, get, monkeypatch) -> None:
    monkeypatch.setattr(health, "_PROBE_SECONDS", 0.05)
    vault.hangs = asyncio.Event()
    status, _, content = await get("/health")
    assert (status, json.loads(content)["database"]) == (503, "down")


async def test_metrics_are_prometheus_text_and_ask_the_database(vault: Vault, get) -> None:
    status, head, content = await get("/metrics")
    assert status == 200
    assert "Content-Type: text/plain; version=" in head
    assert "stanzavault_stream_up 1.0\n" in content
    assert "stanzavault_database_reachable 1.0\n" in content
    assert "stanzavault_bytes_stored 4096.0\n" in content
    vault.stream = vault.database = False
    _, _, content = await get("/metrics?name=x")
    assert "stanzavault_stream_up 0.0\n" in content
    assert "stanzavault_database_reachable 0.0\n" in content


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /health/../etc HTTP/1.1\r\n\r\n", 404),
        (b"POST /health HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 405),
        (b"HEAD /health HTTP/1.1\r\n\r\n", 405),
        (b"GET /health\r\n\r\n", 400),
        (b"\x16\x03\x01\r\n\r\n", 400),
        (b"GET /health SPDY/9\r\n\r\n", 400),
        (b"GET /health HTTP/1.0\r\n\r\n", 200),
        (b"GET /health HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    ],
)
async def test_anything_else_gets_its_error(vault: Vault, send, request_: bytes, status: int) -> None:
    answer = await send(request_)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


async def test_a_client_that_hangs_up_in_the_middle_disturbs_nobody(vault: Vault, get) -> None:
    _, writer = await asyncio.open_connection(vault.at.host, vault.at.port)
    writer.write(b"GET /hea")
    writer.close()
    await writer.wait_closed()
    assert (await get("/health"))[0] == 200


async def test_a_client_that_says_nothing_is_hung_up_on(vault: Vault, send, monkeypatch) -> None:
    monkeypatch.setattr(health, "_REQUEST_SECONDS", 0.05)
    assert await send(b"GET /hea") == b""


async def test_more_connections_than_allowed_are_hung_up_on_and_the_rest_is_served(
    vault: Vault, get, monkeypatch
) -> None:
    monkeypatch.setattr(health, "_REQUEST_SECONDS", 60)
    opened = [
        await asyncio.open_connection(vault.at.host, vault.at.port) for _ in range(health._MOST_CONNECTIONS)
    ]
    reader, writer = await asyncio.open_connection(vault.at.host, vault.at.port)
    assert await asyncio.wait_for(hung_up(reader), 5)
    writer.close()
    for lingering, each in opened:
        each.write_eof()
        assert await hung_up(lingering)
        each.close()
    assert (await get("/health"))[0] == 200


async def test_closing_hangs_up_on_clients_that_linger() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry, stream_up=lambda: True, waiting=lambda: 0)
    vault = Vault()
    server = HealthServer(
        registry, metrics, Probes(lambda: True, vault.database_reachable, vault.bytes_stored)
    )
    await server.close()
    at = await server.start(Endpoint("localhost", 0))
    reader, writer = await asyncio.open_connection(at.host, at.port)
    writer.write(b"GET")
    await asyncio.wait_for(server.close(), 5)
    assert await hung_up(reader)
    writer.close()


async def test_a_port_that_is_taken_is_told_with_what_helps(vault: Vault) -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry, stream_up=lambda: True, waiting=lambda: 0)
    other = HealthServer(
        registry, metrics, Probes(lambda: True, vault.database_reachable, vault.bytes_stored)
    )
    with pytest.raises(OperatorError) as caught:
        await other.start(vault.at)
    assert str(vault.at) in caught.value.message
    assert "metrics.listen" in caught.value.help
