"""Logging in to a server: encrypted, unless this very machine is meant and that is said."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from slixmpp import ClientXMPP

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import JidMalformed
from stanzavault_client.errors import LoginFailed

_LOCAL_NAMES: Final = frozenset({"localhost", "ip6-localhost"})


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, and where.

    Attributes:
        jid: the account, with a resource if one is wanted.
        password: of the account.
        host: where the server is; "" to look it up by the account's domain.
        port: its port; 0 for 5222 where a host is given.
        ca_file: certificates (PEM) that the server's certificate must lead to, instead of the system's.
        plaintext: whether nothing is encrypted: only for a server on this machine.
        within: seconds for all of it.

    Raises:
        LoginFailed: the address is none, or nothing is to be encrypted on a way that leaves this machine.
    """

    jid: str
    password: str = field(repr=False)
    host: str = ""
    port: int = 0
    ca_file: Path | None = None
    plaintext: bool = False
    within: float = 30.0

    def __post_init__(self) -> None:
        try:
            address = Address.parse(self.jid)
        except JidMalformed as error:
            raise LoginFailed(f"{self.jid} is not an address: {error.text}") from error
        if not address.local:
            raise LoginFailed(f"{self.jid} is not the address of an account, such as user@example.org.")
        if self.plaintext and not _is_loopback(self.host or address.domain):
            raise LoginFailed("Without encryption only a server on this machine can be used.")


@asynccontextmanager
async def logged_in(client: ClientXMPP, login: Login) -> AsyncIterator[ClientXMPP]:
    """Log a client in for the length of a block; it sends no presence by itself.

    Args:
        client: one of `new_client`, with its plugins registered.
        login: the same.

    Raises:
        LoginFailed: it did not succeed, with the reason.
    """
    outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def settle(reason: str) -> None:
        if not outcome.done():
            outcome.set_result(reason)

    unreachable: list[object] = ["no reason given"]  # each way of connecting that failed; the last is told
    client.add_event_handler("connection_failed", unreachable.append)
    where = f"{login.host}:{login.port or 5222}" if login.host else client.boundjid.domain
    reasons = {
        "session_start": lambda _: "",
        "failed_all_auth": lambda _: (
            "the server refused the password"
            if client.plugin["feature_mechanisms"].attempted_mechs
            else "the server offers no encryption, or no way to log in that is safe without"
        ),
        "reconnect_delay": lambda _: f"it can't be reached ({_short(unreachable[-1])})",
        "disconnected": _why_ended,
    }
    for event, reason in reasons.items():
        client.add_event_handler(event, lambda data, reason=reason: settle(reason(data)))
    try:
        if login.host:
            client.connect(login.host, login.port or 5222)
        else:
            client.connect()
        try:
            failure = await asyncio.wait_for(outcome, login.within)
        except TimeoutError:
            failure = f"there was no answer in {login.within:g} s"
        if failure:
            raise LoginFailed(f"Could not log in to {where} as {client.boundjid.bare}: {failure}.")
        yield client
    finally:
        await _end(client)


def new_client(login: Login) -> ClientXMPP:
    """A client that is not connected yet."""
    client = ClientXMPP(login.jid, login.password)
    if login.plaintext:
        client.enable_direct_tls = client.enable_starttls = False
        client.enable_plaintext = True
        client.plugin["feature_mechanisms"].unencrypted_plain = True
        client.plugin["feature_mechanisms"].unencrypted_scram = True
    else:
        client.ssl_context = ssl.create_default_context(cafile=login.ca_file)
    return client


async def _end(client: ClientXMPP) -> None:
    client.cancel_connection_attempt()
    if client.transport is not None:
        await client.disconnect()
    filters: Any = client._run_out_filters  # noqa: SLF001 - slixmpp leaves this task behind
    if filters is not None:
        filters.cancel()
        await asyncio.gather(filters, return_exceptions=True)


def _is_loopback(host: str) -> bool:
    if host.lower().removesuffix(".") in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _why_ended(error: object) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate can't be verified ({error.verify_message})"
    return f"the connection was closed ({_short(error)})"


def _short(error: object) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) if error else "no reason given"
