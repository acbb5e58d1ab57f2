"""Database engines: SQLite in WAL with durable commits, PostgreSQL with its defaults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from stanzavault.kernel.errors import OperatorError

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_BUSY_MILLISECONDS = 5000
_CONNECT_WITHIN = 5.0
_CONNECTION_FREE_WITHIN = 10.0
STATEMENT_WITHIN = 10.0
"""Seconds for a statement of the running service: below the time in which a request is answered."""
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"busy_timeout={_BUSY_MILLISECONDS}",
    "foreign_keys=ON",
    "secure_delete=ON",
    "temp_store=MEMORY",
)


def database_url(text: str) -> URL:
    """The URL of a database with the driver that the vault uses for it.

    Raises:
        OperatorError: it is neither SQLite nor PostgreSQL.
    """
    help_ = "Use sqlite:////path/to/vault.db or postgresql://user@host/database"
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise OperatorError("database.url is not the URL of a database.", help_) from error
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None or (driver.startswith("sqlite") and not url.database):
        raise OperatorError("database.url names no database that the vault can use.", help_)
    return url.set(drivername=driver)


def sqlite_file(url: URL) -> Path | None:
    """The file of an embedded database, None for PostgreSQL."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def writing_engine(url: URL, connections: int, *, statement_within: float | None = None) -> AsyncEngine:
    """An engine whose transactions write; for SQLite it has one connection, for it has one writer.

    Args:
        url: of the database.
        connections: at most so many are open.
        statement_within: seconds after which PostgreSQL's answer to a statement is waited for no longer; None
            for upkeep, which may take its time.
    """
    if sqlite_file(url) is None:
        return _postgresql_engine(url, connections, statement_within)
    return _sqlite_engine(url, "BEGIN IMMEDIATE", connections=1)


def reading_engine(url: URL, connections: int) -> AsyncEngine:
    """An engine whose transactions read one consistent snapshot."""
    if sqlite_file(url) is None:
        return _postgresql_engine(
            url,
            connections,
            STATEMENT_WITHIN,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )
    return _sqlite_engine(url, "BEGIN", connections, "query_only=ON")


def _postgresql_engine(
    url: URL, connections: int, statement_within: float | None, **options: Any
) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_CONNECTION_FREE_WITHIN,
        pool_pre_ping=True,
        connect_args={
            "timeout": _CONNECT_WITHIN,
            "command_timeout": statement_within,
            # What is acknowledged is durable, whatever a role or database was set to.
            "server_settings": {"synchronous_commit": "on"},
        },
        **options,
    )


def _sqlite_engine(url: URL, begin: str, connections: int, *pragmas: str) -> AsyncEngine:
    file = sqlite_file(url)
    if file is not None:
        if not file.exists():
            # SQLite would make it with the umask's permissions; -wal and -shm take over the file's own
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        # Should it be moved away later, no connection makes an empty one in its place.
        url = url.set(database=file.absolute().as_uri(), query={**url.query, "mode": "rw", "uri": "true"})
    engine = create_async_engine(
        url, poolclass=AsyncAdaptedQueuePool, pool_size=connections, max_overflow=0,
        connect_args={"isolation_level": None},
    )  # fmt: skip

    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (*_PRAGMAS, *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine
