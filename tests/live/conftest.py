"""Real servers, started once and shared; accounts and databases are each test's own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.ejabberd import Ejabberd
from support.postgresql import PostgreSQL
from support.prosody import Prosody
from support.session_clients import Pair, pairs
from support.vaults import COMBINATIONS, DATABASES, SERVERS, NewVault, ServerVault, Vaults
from support.xmpp_server import XmppServer


def _shared(kind: type[XmppServer]) -> Iterator[XmppServer]:
    server = kind()
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def prosody() -> Iterator[XmppServer]:
    """A Prosody that all tests share; its component's place is free: attach for one test at a time."""
    yield from _shared(Prosody)


@pytest.fixture(scope="session")
def ejabberd() -> Iterator[XmppServer]:
    """An ejabberd that all tests share; its component's place is free: attach for one test at a time."""
    yield from _shared(Ejabberd)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> XmppServer:
    """Prosody, then ejabberd, with no vault attached."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, XmppServer)
    return found


@pytest.fixture
async def pair(server: XmppServer, tmp_path: Path) -> AsyncIterator[Pair]:
    """Log in two clients for encrypted sessions: `one, other = await pair(policy)`."""
    async with pairs(server, tmp_path) as log_in:
        yield log_in


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """The private PostgreSQL cluster of this run."""
    cluster = PostgreSQL()
    cluster.start()
    yield cluster
    cluster.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path}/vault.db"


@pytest.fixture
async def postgresql_url(postgresql: PostgreSQL) -> AsyncIterator[str]:
    """The URL of an empty PostgreSQL database, dropped after the test."""
    name = await postgresql.create_database()
    yield postgresql.url(name)
    await postgresql.drop_database(name)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a new, empty database: SQLite, then PostgreSQL."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="session")
def vaults(postgresql: PostgreSQL) -> Iterator[Vaults]:
    """Every vault of this run, each with a server and a database of its own."""
    started = Vaults(postgresql)
    yield started
    started.close()


@pytest.fixture(params=COMBINATIONS)
async def vault(request: pytest.FixtureRequest, vaults: Vaults) -> ServerVault:
    """A vault that serves: beside Prosody and beside ejabberd, on SQLite and on PostgreSQL.

    Tests share it, so they make accounts of their own (`new_account(vault.server)`). They may kill it: the
    next test finds it started again. Other settings or another server configuration need `new_vault`.
    """
    return await vaults.shared(request.param)


@pytest.fixture(params=["prosody-sqlite", "ejabberd-sqlite"])
async def server_vault(request: pytest.FixtureRequest, vaults: Vaults) -> ServerVault:
    """As `vault`, beside both servers, for what does not depend on the database."""
    return await vaults.shared(request.param)


@pytest.fixture(params=["prosody-sqlite", "prosody-postgresql"])
async def database_vault(request: pytest.FixtureRequest, vaults: Vaults) -> ServerVault:
    """As `vault`, on both databases, for what does not depend on the server."""
    return await vaults.shared(request.param)


@pytest.fixture
async def prosody_vault(vaults: Vaults) -> ServerVault:
    """As `vault`, beside Prosody on SQLite only."""
    return await vaults.shared("prosody-sqlite")


@pytest.fixture
async def ejabberd_vault(vaults: Vaults) -> ServerVault:
    """As `vault`, beside ejabberd on SQLite only."""
    return await vaults.shared("ejabberd-sqlite")


@pytest.fixture
def new_vault(vaults: Vaults) -> Iterator[NewVault]:
    """Start vaults for this test alone, ended after it: `await new_vault("prosody-sqlite", settings=...)`."""
    yield vaults.new
    vaults.close_private()
