"""A link over TLS: the certificate must be valid for the configured host."""

import asyncio
import ssl
from pathlib import Path

import pytest

from stanzavault.runtime.stream import FailureReason
from support import tls_front

from .conftest import Server, Start


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    return tls_front.certificate(tmp_path)


@pytest.fixture
async def tls_server(server: Server, certificate: Path) -> Server:
    """The server side behind TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server.refuse()
    server._server = await asyncio.start_server(server._connected, server.host, 0, ssl=context)
    server.component_port = server._server.sockets[0].getsockname()[1]
    return server


async def test_a_link_over_tls_serves(tls_server: Server, start: Start, certificate: Path) -> None:
    start(tls=ssl.create_default_context(cafile=certificate))
    link = await tls_server.established()
    for number in range(20):
        await tls_server.serves(link, f"probe{number}")


async def test_a_certificate_that_nobody_vouches_for_is_refused(tls_server: Server, start: Start) -> None:
    vault = start(tls=ssl.create_default_context())
    assert (await vault.failure()).reason is FailureReason.TLS


async def test_a_certificate_of_another_host_is_refused(
    tls_server: Server, start: Start, certificate: Path
) -> None:
    vault = start(host="localhost", tls=ssl.create_default_context(cafile=certificate))
    assert (await vault.failure()).reason is FailureReason.TLS
