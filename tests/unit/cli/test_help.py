"""Help is quick: it loads neither the XMPP library nor the database."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "slixmpp",
    "sqlalchemy",
    "alembic",
    "asyncpg",
    "aiosqlite",
    "cryptography",
    "uvloop",
    "prometheus_client",
)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["keys", "--help"], ["init", "--help"]])
def test_help_loads_neither_slixmpp_nor_sqlalchemy(arguments: list[str]) -> None:
    script = (
        "import sys; sys.argv[1:] = sys.argv[1:]\n"
        "from stanzavault.cli import main\n"
        "try: main()\n"
        f"finally: print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    assert "Usage: " in done.stdout
    assert done.stdout.endswith("LOADED []\n")


def test_every_command_is_told(stanzavault) -> None:
    outcome = stanzavault("--help")
    assert outcome.status == 0
    for command in ("init", "check", "db", "keys", "backup", "restore", "run"):
        assert f"  {command} " in outcome.out


@pytest.mark.parametrize("group", [["db"], ["keys"], []])
def test_a_group_without_a_command_tells_what_there_is(stanzavault, group: list[str]) -> None:
    outcome = stanzavault(*group)
    assert outcome.status == 2
    assert "Commands:" in outcome.out + outcome.err


def test_an_unknown_option_is_told_without_a_traceback(stanzavault) -> None:
    outcome = stanzavault("run", "--confg", "x")
    assert outcome.status == 2
    assert "--confg" in outcome.err
