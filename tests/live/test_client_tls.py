"""Logging in to a real server with TLS: verified by default."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from stanzavault_client import Login, LoginFailed, logged_in, new_client
from support.accounts import Account, new_account
from support.prosody import Prosody
from support.xmpp_server import DOMAIN

_TLS = """
VirtualHost "{domain}"
    modules_enabled = {{ "tls" }}
    modules_disabled = {{ "s2s" }}
    ssl = {{ key = "{folder}/key.pem"; certificate = "{folder}/certificate.pem" }}
"""


def certificate_for(domain: str, folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return path


@pytest.fixture(params=[DOMAIN, "elsewhere.example"])
def tls_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Prosody, Path]]:
    """The domain of the certificate, the server that shows it, and the certificate."""
    certificate = certificate_for(request.param, tmp_path)
    server = Prosody(extra=_TLS.format(domain=DOMAIN, folder=tmp_path))
    server.start()
    yield request.param, server, certificate
    server.close()


async def outcome(account: Account, server: Prosody, ca_file: Path | None) -> str:
    login = Login(account.jid, account.password, server.host, server.client_port, ca_file=ca_file)
    client = new_client(login)
    try:
        async with logged_in(client, login):
            return "encrypted" if "starttls" in client.features else "not encrypted"
    except LoginFailed as error:
        return str(error)


async def test_the_connection_is_encrypted_and_the_certificate_verified(
    tls_server: tuple[str, Prosody, Path],
) -> None:
    domain, server, certificate = tls_server
    account = await new_account(server)
    trusted, untrusted = await asyncio.gather(
        outcome(account, server, certificate), outcome(account, server, None)
    )
    assert "certificate can't be verified (self-signed certificate)" in untrusted
    if domain == DOMAIN:
        assert trusted == "encrypted"
    else:
        assert "certificate can't be verified (Hostname mismatch" in trusted
