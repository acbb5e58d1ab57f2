"""Whose account is meant, and how to get in: by options before the command, files, variables, or a prompt."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stanzavault_client.errors import LoginFailed

if TYPE_CHECKING:
    from slixmpp import ClientXMPP

    from stanzavault_client.registration import Plugins
    from stanzavault_client.storage import SQLiteStore

_DATA_HOME = "XDG_DATA_HOME"
_PASSWORD = "STANZAVAULT_CLIENT_PASSWORD"  # noqa: S105 - the name of a variable
_PASSPHRASE = "STANZAVAULT_CLIENT_PASSPHRASE"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Connection:
    """A client that is logged in."""

    client: ClientXMPP
    plugins: Plugins


@dataclass(frozen=True, slots=True)
class Account:
    """What the options before a command say."""

    jid: str
    store: Path
    password_file: Path | None = field(repr=False)
    passphrase_file: Path | None = field(repr=False)
    server: str
    ca_file: Path | None
    allow_plaintext: bool
    vault: str

    def require_jid(self) -> str:
        """The account's address.

        Raises:
            LoginFailed: it was not given.
        """
        if not self.jid:
            raise LoginFailed("Say whose account: stanzavault-client --jid user@example.org ...")
        return self.jid

    @contextmanager
    def opened_store(self) -> Iterator[SQLiteStore]:
        """The user's keys, for the length of a block; a new store is made where there is none."""
        from stanzavault_client.storage import SQLiteStore  # noqa: PLC0415 - help loads nothing heavy

        is_new = not self.store.exists()
        passphrase = _secret(
            "Passphrase of your keys" if not is_new else f"New passphrase, for your keys in {self.store}",
            _PASSPHRASE,
            self.passphrase_file,
            confirm=is_new,
        )
        self.store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with SQLiteStore.open(self.store, passphrase) as store:
            yield store

    @asynccontextmanager
    async def connected(self, store: SQLiteStore) -> AsyncIterator[Connection]:
        """Log in with all plugins, for the length of a block."""
        from stanzavault_client.login import Login, logged_in, new_client  # noqa: PLC0415 - as above
        from stanzavault_client.registration import register  # noqa: PLC0415 - as above

        host, _, port = self.server.partition(":")
        if port and not port.isdigit():
            raise LoginFailed("The server is given as HOST or HOST:PORT.")
        jid = self.require_jid()
        login = Login(
            jid,
            _secret(f"Password of {jid}", _PASSWORD, self.password_file),
            host=host,
            port=int(port or 0),
            ca_file=self.ca_file,
            plaintext=self.allow_plaintext,
        )
        client = new_client(login)
        client.plugin_config["vault"] = {"jid": self.vault}
        plugins = register(client, store=store)
        async with logged_in(client, login):
            yield Connection(client, plugins)


def choose_account(
    context: typer.Context,
    *,
    jid: Annotated[str, typer.Option(envvar="STANZAVAULT_CLIENT_JID", help="Your address.")] = "",
    store: Annotated[
        Path | None, typer.Option(envvar="STANZAVAULT_CLIENT_STORE", help="Where your keys are kept.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help=f"Holds the account's password; else {_PASSWORD}, or a prompt.")
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help=f"Holds the passphrase of your keys; else {_PASSPHRASE}, or a prompt.")
    ] = None,
    server: Annotated[
        str,
        typer.Option(
            metavar="HOST[:PORT]",
            envvar="STANZAVAULT_CLIENT_SERVER",
            help="Where your server is; looked up if not given.",
        ),
    ] = "",
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificates (PEM) to trust instead of the system's.")
    ] = None,
    allow_plaintext: Annotated[
        bool,
        typer.Option(
            "--allow-plaintext",
            envvar="STANZAVAULT_CLIENT_ALLOW_PLAINTEXT",
            help="No encryption: for a server on this machine only.",
        ),
    ] = False,
    vault: Annotated[str, typer.Option(help="The vault's address, where discovery does not show it.")] = "",
) -> None:
    """Your keys and your archive in a vault beside your XMPP server."""
    context.obj = Account(
        jid,
        store or _default_store(),
        password_file,
        passphrase_file,
        server,
        ca_file,
        allow_plaintext,
        vault,
    )


def account_of(context: typer.Context) -> Account:
    """What the options before the command say."""
    found = context.find_object(Account)
    if found is None:
        raise TypeError("a command ran without its options")
    return found


def run(context: typer.Context, work: Callable[[Account, SQLiteStore], Coroutine[Any, Any, None]]) -> None:
    """Run the coroutine of a command, with the user's keys opened."""
    account = account_of(context)
    account.require_jid()
    with account.opened_store() as store:
        asyncio.run(work(account, store))


def _default_store() -> Path:
    data = os.environ.get(_DATA_HOME) or Path.home() / ".local" / "share"
    return Path(data) / "stanzavault" / "client.db"


def _secret(question: str, variable: str, file: Path | None, *, confirm: bool = False) -> str:
    """A secret from a file's first line, a variable, or a prompt that does not show it."""
    if file is not None:
        lines = file.read_text("utf-8").splitlines()
        return lines[0] if lines else ""
    if variable in os.environ:
        return os.environ[variable]
    answer: str = typer.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True)
    return answer
