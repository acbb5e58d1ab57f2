"""Health and metrics over HTTP: GET /health and GET /metrics, one request a connection, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from stanzavault.config.values import Endpoint
from stanzavault.kernel.errors import OperatorError
from stanzavault.runtime.metrics import Metrics

_MOST_HEAD_BYTES: Final = 8192
_MOST_CONNECTIONS: Final = 32
_REQUEST_SECONDS: Final = 5.0
_PROBE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Probes:
    """How the parts of the service are asked.

    Attributes:
        stream_up: whether there is an established stream.
        database_reachable: whether the database answers; one that takes longer than 3 s counts as down.
        bytes_stored: bytes that the database takes; None where it can't tell.
    """

    stream_up: Callable[[], bool]
    database_reachable: Callable[[], Awaitable[bool]]
    bytes_stored: Callable[[], Awaitable[int | None]]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    content: bytes
    type: str = "text/plain; charset=utf-8"
    headers: tuple[str, ...] = ()


class HealthServer:
    """Serves health and metrics until it is closed.

    Args:
        registry: what /metrics shows.
        metrics: told what the database answered.
        probes: what /health asks.
    """

    def __init__(self, registry: CollectorRegistry, metrics: Metrics, probes: Probes) -> None:
        self._registry = registry
        self._metrics = metrics
        self._probes = probes
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def start(self, listen: Endpoint) -> Endpoint:
        """Listen, and tell where; port 0 has become the port that was free.

        Raises:
            OperatorError: nothing can listen there.
        """
        try:
            self._server = await asyncio.start_server(
                self._serve, listen.host, listen.port, limit=_MOST_HEAD_BYTES
            )
        except OSError as error:
            raise OperatorError(
                f"Nothing can listen on {listen}: {error.strerror or 'no such address'}",
                "Give another address or port as metrics.listen; port 0 takes a free one.",
            ) from error
        host, port = self._server.sockets[0].getsockname()[:2]
        return Endpoint(host, port)

    async def close(self) -> None:
        """Stop listening, and hang up."""
        if self._server is not None:
            self._server.close()
            for writer in self._connections:
                writer.transport.abort()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= _MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._connections.add(writer)
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                writer.write(_rendered(await self._answer(reader)))
                await writer.drain()
        except TimeoutError:
            writer.transport.abort()
        except ConnectionError:
            pass
        finally:
            self._connections.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> _Answer:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError from error
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _plain(HTTPStatus.BAD_REQUEST)
        if words[0] != b"GET":
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, "Allow: GET")
        match words[1].split(b"?", 1)[0]:
            case b"/health":
                return await self._health()
            case b"/metrics":
                await self._ask_database()
                return _Answer(HTTPStatus.OK, generate_latest(self._registry), CONTENT_TYPE_LATEST)
        return _plain(HTTPStatus.NOT_FOUND)

    async def _health(self) -> _Answer:
        parts = {"stream": self._probes.stream_up(), "database": await self._ask_database()}
        ok = all(parts.values())
        shown = {name: "up" if up else "down" for name, up in parts.items()}
        return _Answer(
            HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE,
            json.dumps({"status": "ok" if ok else "down", **shown}).encode() + b"\n",
            "application/json",
        )

    async def _ask_database(self) -> bool:
        reachable, bytes_stored = False, None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PROBE_SECONDS):
                reachable = await self._probes.database_reachable()
                bytes_stored = await self._probes.bytes_stored() if reachable else None
        self._metrics.database_asked(reachable=reachable, bytes_stored=bytes_stored)
        return reachable


def _plain(status: HTTPStatus, *headers: str) -> _Answer:
    return _Answer(status, f"{status.value} {status.phrase}\n".encode(), headers=headers)


def _rendered(answer: _Answer) -> bytes:
    lines = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"Content-Type: {answer.type}",
        f"Content-Length: {len(answer.content)}",
        "Cache-Control: no-store",
        "Connection: close",
        *answer.headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + answer.content
