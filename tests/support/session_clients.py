"""Clients that hold encrypted sessions with each other beside a real server, and what happened to them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from esession import Policy as SessionPolicy
from esession import RSAPublicKey
from esession.crypto import SigningKey
from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import utc_now
from stanzavault_client import SQLiteStore, register
from stanzavault_client.esession import EncryptedSession, ESessionPlugin, Happening
from stanzavault_client.esession.happenings import NAMES
from stanzavault_client.keys.making import make_key
from stanzavault_client.storage import OwnKey, RememberedKey
from support.accounts import Account, new_account
from support.clients import Client
from support.esession_peers import signing_key
from support.inbox import WAIT
from support.vault_clients import PASSPHRASE, QUICK
from support.xmpp_server import XmppServer

Result = TypeVar("Result")

Pair = Callable[..., Awaitable[tuple["SessionClient", "SessionClient"]]]
"""Logs in two clients with these policies, each with a key of its own."""

EVENTS = {*NAMES.values(), "esession_message", "esession_presence", "esession_iq"}
QUICK_GROUPS = SessionPolicy(groups=(14,))


class SessionClient(Client):
    """A client with the plugin `esession`; `happened` holds its events in their order.

    Sessions are accepted where `accepts` says so.
    """

    def __init__(
        self,
        server: XmppServer,
        account: Account,
        folder: Path,
        *,
        resource: str = "chat",
        sessions: SessionPolicy = QUICK_GROUPS,
        configuration: dict[str, Any] | None = None,
        resumable: bool = False,
    ) -> None:
        super().__init__(server, account, resource)
        if resumable:
            self.register_plugin("xep_0198")
        self.store = SQLiteStore.open(folder / f"{account.user}-{resource}.db", PASSPHRASE, cost=QUICK)
        self.plugin_config["esession"] = {"sessions": sessions, **(configuration or {})}
        self.plugins = register(self, store=self.store)
        self.happened: list[tuple[str, Happening]] = []
        self.accepts: Callable[[EncryptedSession], bool] = lambda _: True
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[Any]] = set()
        for name in EVENTS - {"esession_iq"}:
            self._listen_to(name)

    def answer_requests(self) -> None:
        """Take encrypted requests, which are refused where nobody does."""
        self._listen_to("esession_iq")

    def _listen_to(self, name: str) -> None:
        self.add_event_handler(name, lambda happening: self._take(name, happening))

    @property
    def sessions(self) -> ESessionPlugin:
        """The plugin."""
        return self.plugins.esession

    @property
    def full_jid(self) -> str:
        """The full address."""
        return str(self.boundjid.full)

    def _take(self, name: str, happening: Happening) -> None:
        self.happened.append((name, happening))
        if name == "esession_requested" and self.accepts(happening.session):
            self.start(happening.session.accept())
        self.start(self._tell())

    def start(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Do something beside the test, until the client leaves at the latest."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def all_of(self, name: str) -> list[Happening]:
        """Every event of a name."""
        return [happening for each, happening in self.happened if each == name]

    def bodies(self) -> list[str]:
        """The bodies of all messages of all sessions, in their order."""
        return [happening.stanza["body"] for happening in self.all_of("esession_message")]

    async def until(self, condition: Callable[[], bool], *, within: float = WAIT) -> None:
        """Wait until something is so, looking again at each event."""
        try:
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(condition)
        except TimeoutError:
            told = "\n".join(f"{name}: {happening.event}" for name, happening in self.happened[-40:])
            raise TimeoutError(f"{self.full_jid} waited in vain; it was told:\n{told}") from None

    async def event_of(self, name: str, number: int = 1) -> Happening:
        """The `number`th event of a name, once it is here."""
        await self.until(lambda: len(self.all_of(name)) >= number)
        return self.all_of(name)[number - 1]

    def hold_key(self, private: SigningKey) -> OwnKey:
        """Give the client a signing key of its own."""
        account, now = Address.parse(self.boundjid.bare), utc_now()
        key = make_key(private, account, now, now.replace(year=now.year + 1))
        self.store.own_keys.put(key)
        return key

    def know(self, other: "SessionClient", *, confirmed: bool = True) -> None:
        """Let this client know the other's newest key."""
        key = other.store.own_keys.of(other.boundjid.bare)[-1]
        self.store.known_keys.put(
            RememberedKey(other.boundjid.bare, self.public_of(key), utc_now(), confirmed)
        )

    @staticmethod
    def public_of(key: OwnKey) -> RSAPublicKey:
        """The public half of a key, as sessions know it."""
        return RSAPublicKey.of(key.private)

    async def pass_through(self, to: str | None = None) -> None:
        """As a client's: also everything that waits to be sent has left, and has been handled."""
        await self.waiting_queue.join()
        await super().pass_through(to)

    async def leave(self) -> None:
        """Log out, and close the store."""
        await self.log_out()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.store.close()


@asynccontextmanager
async def session_client(
    server: XmppServer, account: Account, folder: Path, *, presence: bool = True, **options: Any
) -> AsyncIterator[SessionClient]:
    """A client, logged in for the length of a block."""
    client = SessionClient(server, account, folder, **options)
    try:
        await client.log_in(presence=presence)
        yield client
    finally:
        await client.leave()


@asynccontextmanager
async def pairs(server: XmppServer, folder: Path) -> AsyncIterator[Pair]:
    """Clients in pairs, logged in until the end of the block."""
    async with AsyncExitStack() as stack:

        async def log_in(
            ours: SessionPolicy = QUICK_GROUPS, theirs: SessionPolicy | None = None, **options: Any
        ) -> tuple[SessionClient, SessionClient]:
            found = []
            for name, policy in (("alice", ours), ("bob", theirs or ours)):
                account = await new_account(server, name)
                client = session_client(server, account, folder, sessions=policy, **options)
                found.append(await stack.enter_async_context(client))
                found[-1].hold_key(signing_key(name))
            return found[0], found[1]

        yield log_in
