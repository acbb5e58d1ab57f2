"""Real servers, started once and shared; accounts and databases are each test's own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.ejabberd import Ejabberd
from support.postgresql import PostgreSQL
from support.prosody import Prosody
from support.xmpp_server import XmppServer

SERVERS: dict[str, type[XmppServer]] = {"prosody": Prosody, "ejabberd": Ejabberd}


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


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a new, empty database: SQLite, then PostgreSQL."""
    return str(request.getfixturevalue(f"{request.param}_url"))
