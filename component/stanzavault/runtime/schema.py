"""The schema's version: which one a database has, which one this program knows, and the way between."""

from __future__ import annotations

import importlib
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

import stanzavault
from stanzavault.kernel.errors import OperatorError
from stanzavault.storage.schema import metadata

_STORES = (
    "stanzavault.accounts.vault",
    "stanzavault.accounts.store",
    "stanzavault.storage.usage",
    "stanzavault.keys.store",
    "stanzavault.archive.store",
    "stanzavault.offline.store",
)


def every_table() -> MetaData:
    """The metadata with the tables of every store."""
    for name in _STORES:
        importlib.import_module(name)
    return metadata


def known_revision() -> str:
    """The newest revision that this program knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise OperatorError("This installation has no migrations.", "Install stanzavault again.")
    return head


async def revision(engine: AsyncEngine) -> str | None:
    """The revision that a database has, None where it is empty."""
    async with engine.connect() as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def migrate(engine: AsyncEngine, target: str) -> None:
    """Bring a database to the revision `target` ("head", "base" or a number), up or down.

    Raises:
        OperatorError: there is no such revision.
    """
    script = ScriptDirectory.from_config(_config())
    numbers = [item.revision for item in script.walk_revisions()]
    if target not in ("head", "base", *numbers):
        raise OperatorError(f"There is no revision {target!r}.", f"There are {', '.join(sorted(numbers))}.")
    async with engine.connect() as connection:
        await connection.run_sync(_migrate, target)
        await connection.commit()


async def require_known(engine: AsyncEngine) -> None:
    """Refuse a database whose schema this program does not know.

    Raises:
        OperatorError: it is empty, older or newer; the help names the command that mends it.
    """
    found, known = await revision(engine), known_revision()
    if found == known:
        return
    if found is None:
        raise OperatorError(
            "The database is empty.", "Run: stanzavault db upgrade, then: stanzavault keys init"
        )
    if found < known:
        raise OperatorError(
            f"The database has schema {found}, this program needs {known}.",
            "Make a backup (stanzavault backup FILE), then run: stanzavault db upgrade",
        )
    raise OperatorError(
        f"The database has schema {found}, which is newer than the {known} that this program knows.",
        "Install the version of stanzavault that was used last.",
    )


def _migrate(connection: Connection, target: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    current = MigrationContext.configure(connection).get_current_revision()
    if target == "base" or (target != "head" and current is not None and target < current):
        command.downgrade(config, target)
    else:
        command.upgrade(config, target)


def _config() -> Config:
    config = Config()
    package = Path(stanzavault.__file__).parent
    inside = package / "migrations"  # in a wheel
    beside = package.parent.parent / "migrations"  # in a source tree
    config.set_main_option("script_location", str(inside if inside.is_dir() else beside).replace("%", "%%"))
    return config
