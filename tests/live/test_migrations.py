"""Migrations from empty and back, on both databases, the schema compared to the models; from a wheel too."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import AsyncEngine

from stanzavault.runtime import schema
from stanzavault.runtime.engines import database_url as vault_url
from stanzavault.runtime.engines import writing_engine
from stanzavault.storage.schema import metadata

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def engine(database_url: str):
    made = writing_engine(vault_url(database_url), 1)
    yield made
    await made.dispose()


async def tables(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, schema.every_table()))


async def test_the_migrated_schema_is_the_one_of_the_models(engine: AsyncEngine) -> None:
    await schema.migrate(engine, "head")
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    assert await tables(engine) == {*metadata.tables, "alembic_version"}


async def test_each_migration_goes_up_and_back_alone(engine: AsyncEngine) -> None:
    revisions = [item.revision for item in ScriptDirectory.from_config(schema._config()).walk_revisions()][
        ::-1
    ]
    before: list[set[str]] = []
    for revision in revisions:
        before.append(await tables(engine) - {"alembic_version"})
        await schema.migrate(engine, revision)
        assert await schema.revision(engine) == revision
    assert len(before) >= 4
    for place in reversed(range(len(revisions))):
        await schema.migrate(engine, revisions[place - 1] if place else "base")
        assert await tables(engine) - {"alembic_version"} == before[place]
    await schema.migrate(engine, "head")
    await schema.require_known(engine)


def run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


UPGRADE = """
import asyncio, sys, stanzavault
from stanzavault.runtime import schema
from stanzavault.runtime.engines import database_url, writing_engine

async def main():
    engine = writing_engine(database_url("sqlite:///" + sys.argv[1]), 1)
    await schema.migrate(engine, "head")
    await schema.require_known(engine)
    await engine.dispose()
    print(stanzavault.__file__)

asyncio.run(main())
"""


def test_a_wheel_in_a_clean_environment_runs_them(tmp_path: Path) -> None:
    """The environment sees this one's dependencies and nothing of the source tree."""
    pip = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check")
    run(tmp_path, *pip, "wheel", "--no-build-isolation", "--no-deps", "-w", tmp_path, ROOT)
    [wheel] = tmp_path.glob("stanzavault-*.whl")
    venv.create(tmp_path / "clean", with_pip=False)
    python = tmp_path / "clean" / "bin" / "python"
    target = Path(run(tmp_path, python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    run(tmp_path, *pip, "install", "--no-index", "--no-deps", "--target", target, wheel)
    (target / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    answer = run(tmp_path, python, "-c", UPGRADE, tmp_path / "vault.db")
    assert Path(answer).is_relative_to(tmp_path / "clean")
