"""Juliet and Romeo: real slixmpp clients with the plugins of `stanzavault_client`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import LOOPBACK
from prosody import Account, Prosody

from stanzavault_client import Login, Plugins, SQLiteStore, logged_in, new_client, register
from stanzavault_client.offline import LeftMessage

_WAIT = 10.0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is logged in."""

    jid: str
    plugins: Plugins
    mail: asyncio.Queue[LeftMessage]

    async def next_left_message(self) -> LeftMessage:
        """The next message that the vault delivers.

        Raises:
            TimeoutError: none comes.
        """
        return await asyncio.wait_for(self.mail.get(), _WAIT)


@asynccontextmanager
async def present(
    account: Account, prosody: Prosody, folder: Path, *, vault: str = ""
) -> AsyncIterator[Person]:
    """Log somebody in for the length of a block, with the keys that are kept in the folder.

    Args:
        account: whose.
        prosody: where.
        folder: where the store of the account lies.
        vault: a vault to use without looking for one.
    """
    login = Login(
        f"{account.jid}/demo", account.password, host=LOOPBACK, port=prosody.client_port, plaintext=True
    )
    client = new_client(login)
    client.plugin_config["vault"] = {"jid": vault}
    with SQLiteStore.open(folder / f"{account.jid}.keys", account.password) as store:
        plugins = register(client, store=store)
        mail: asyncio.Queue[LeftMessage] = asyncio.Queue()
        client.add_event_handler("left_message", mail.put_nowait)
        async with logged_in(client, login):
            yield Person(account.jid, plugins, mail)
