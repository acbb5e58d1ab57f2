"""`make demo`: plays the main job, says what happens, and leaves nothing behind."""

import asyncio
import importlib
import io
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from rich.console import Console

from support.process import ChildProcess

ROOT = Path(__file__).parents[2]
PLAY = ROOT / "deploy" / "demo" / "play.py"

TOLD = (
    r"it listens on 127\.0\.0\.1:\d{4,5}",
    "two accounts: juliet@localhost and romeo@localhost",
    "stanzavault db upgrade",
    "stanzavault keys init --yes",
    "stanzavault run: attached to Prosody",
    "is published as item “current”",
    "encrypted by the client under a fresh key",
    r"the fresh key is wrapped \(RSA-OAEP\) for 1 key that she has published",
    "he compared the fingerprint that she told him: confirmed",
    "the vault keeps it",
    "vault.db-shm, vault.db-wal finds no body",
    "vault.db-shm, vault.db-wal finds no address",
    "romeo@localhost left her, at .*: Parting is such sweet sorrow",
    "one collection is listed, and it is encrypted",
    "retrieved, decrypted and compared: every message is as it was",
    "vault.db-shm, vault.db-wal finds each body",
    "vault.db-shm, vault.db-wal finds each address",
    "Every step held",
)


def started(tmp_path: Path, **environment: str) -> ChildProcess:
    return ChildProcess(
        "demo",
        [sys.executable, PLAY],
        environment={"TMPDIR": str(tmp_path), "COLUMNS": "200", **environment},
        folder=ROOT,
    )


def descendants(demo: ChildProcess) -> list[psutil.Process]:
    return psutil.Process(demo.pid).children(recursive=True)


async def test_the_demo_with_once_plays_every_step_and_ends_with_0(tmp_path: Path) -> None:
    demo = started(tmp_path, ONCE="1")
    for line in TOLD:
        await asyncio.to_thread(demo.wait_for_line, line, within=60)
    assert await asyncio.to_thread(demo.wait, within=20) == 0
    assert "✗" not in demo.log
    assert list(tmp_path.iterdir()) == []


async def test_the_demo_stays_up_until_ctrl_c_and_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = started(tmp_path)
    await asyncio.to_thread(demo.wait_for_line, "Ctrl-C ends it", within=60)
    for told in ("port ", "account   juliet@localhost    password ", "vault     vault.localhost"):
        assert told in demo.log
    children = descendants(demo)
    assert {child.name() for child in children} >= {"stanzavault"}
    assert await asyncio.to_thread(demo.stop, by=signal.SIGINT, within=30) == 0
    assert not [child for child in children if child.is_running()]
    assert list(tmp_path.iterdir()) == []


async def test_the_demo_ends_in_the_middle_of_it_as_well(tmp_path: Path) -> None:
    demo = started(tmp_path)
    await asyncio.to_thread(demo.wait_for_line, "stanzavault run", within=60)
    children = descendants(demo)
    assert await asyncio.to_thread(demo.stop, by=signal.SIGTERM, within=30) == 130
    assert not [child for child in children if child.is_running()]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def demo_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    """`play` and `telling` of deploy/demo, imported as the script does."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(PLAY.parent))
    yield importlib.import_module("play"), importlib.import_module("telling")
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == PLAY.parent:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("found", "failed"),
    [
        (lambda *_: ["“a body” (plain) in vault.db"], "finds no body"),
        (lambda *_: [], "finds each body"),
    ],
    ids=["readable-where-it-is-sealed", "unreadable-where-it-is-not"],
)
async def test_a_step_that_does_not_hold_ends_the_demo_with_another_status_than_0(
    demo_modules: tuple[ModuleType, ModuleType], found: object, failed: str
) -> None:
    play, telling = demo_modules
    written = io.StringIO()
    teller = telling.Teller(Console(file=written, width=200))
    assert await play.play(teller, search=found) == 1
    assert failed in written.getvalue().partition("A step failed")[2]


def test_the_vault_itself_knows_no_keyring_that_seals_nothing() -> None:
    sources = list((ROOT / "component").rglob("*.py"))
    assert sources
    assert [path for path in sources if "transparent" in path.read_text("utf-8").lower()] == []
