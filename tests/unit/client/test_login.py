"""Logging in is encrypted, unless this machine is meant and that is said."""

import asyncio
import ssl

import pytest

from stanzavault_client import Login, LoginFailed, logged_in, new_client


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.5.5.5", "LOCALHOST."])
def test_plaintext_is_for_this_machine(host: str) -> None:
    assert Login("romeo@montague.example", "secret", host=host, plaintext=True).plaintext


@pytest.mark.parametrize("host", ["", "192.0.2.1", "example.org", "localhost.example.org"])
def test_plaintext_never_leaves_this_machine(host: str) -> None:
    with pytest.raises(LoginFailed, match="only a server on this machine"):
        Login("romeo@montague.example", "secret", host=host, plaintext=True)


@pytest.mark.parametrize("jid", ["", "montague.example", "@montague.example", "ro meo@montague.example"])
def test_what_is_no_account_is_refused(jid: str) -> None:
    with pytest.raises(LoginFailed, match="address"):
        Login(jid, "secret")


async def test_certificates_are_verified_by_default() -> None:
    client = new_client(Login("romeo@montague.example", "secret"))
    assert client.ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert client.ssl_context.check_hostname
    assert not client.enable_plaintext


def test_the_password_does_not_show() -> None:
    assert "secret" not in repr(Login("romeo@montague.example", "secret"))


FEATURES = b"""<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'
    version='1.0' from='montague.example'><stream:features>
    <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>
    <mechanism>PLAIN</mechanism><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>"""
sent: list[bytes] = []


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that offers neither encryption nor a safe way to log in."""
    stream = (
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'"
    )
    features = (
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
    )
    received = await reader.read(4096)
    if received.startswith(b"<"):
        writer.write(
            f"{stream} from='montague.example'><stream:features>{features}</stream:features>".encode()
        )
        received = b""
        while more := await reader.read(4096):
            received += more
        sent.append(received)
    writer.close()


async def test_a_server_that_strips_encryption_gets_no_password() -> None:
    sent.clear()
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    login = Login("romeo@montague.example", "the secret", host="127.0.0.1", port=port, within=10)
    async with server:
        with pytest.raises(LoginFailed, match="offers no encryption"):
            async with logged_in(new_client(login), login):
                pytest.fail("it was let in")
    assert not any(b"auth" in received for received in sent)


async def test_nobody_at_home_is_told_soon() -> None:
    login = Login("romeo@montague.example", "secret", host="127.0.0.1", port=1)
    with pytest.raises(LoginFailed, match="can't be reached"):
        async with logged_in(new_client(login), login):
            pytest.fail("it was let in")
