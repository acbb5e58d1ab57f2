"""TLS in front of a server that has none: a certificate for loopback, and a proxy that ends TLS."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.ports import LOOPBACK, free_port


def certificate(folder: Path) -> Path:
    """Make a self-signed certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stanzavault test")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address(LOOPBACK))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


class TlsFront:
    """Takes TLS on `port` and passes what is in it on to `target`, another port of 127.0.0.1."""

    def __init__(self, certificate: Path, target: int) -> None:
        self.port = free_port()
        self.passed_on = 0
        """Bytes that came through TLS for the target."""
        self.taken = 0
        """Connections on which TLS was established."""
        self._target = target
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve for the length of a block."""
        server = await asyncio.start_server(self._serve, LOOPBACK, self.port, ssl=self._context)
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        behind, to_behind = await asyncio.open_connection(LOOPBACK, self._target)
        await asyncio.gather(self._copy(reader, to_behind, inwards=True), self._copy(behind, writer))

    async def _copy(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, inwards: bool = False
    ) -> None:
        try:
            while data := await source.read(65536):
                self.passed_on += len(data) if inwards else 0
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass  # a reset is an end like any other
        finally:
            target.close()
