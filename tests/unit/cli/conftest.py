from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stanzavault.cli import main
from support.logs import logging_put_back


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("STANZAVAULT_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    with logging_put_back():
        yield


@pytest.fixture
def stanzavault(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command as a shell would, with what is typed into it."""

    def run(*arguments: str | Path, typed: str = "") -> Outcome:
        monkeypatch.setattr(sys, "argv", ["stanzavault", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        try:
            main()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        else:
            status = 0
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Outcome(status, out, err)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "etc"


@pytest.fixture
def config(stanzavault: Command, folder: Path) -> Path:
    """What `stanzavault init` writes, with its database in the same folder."""
    database = f"sqlite:///{folder / 'vault.db'}"
    outcome = stanzavault("init", folder, "--host", "example.org", "--database", database, "--yes")
    assert outcome.status == 0, outcome.err
    return folder / "stanzavault.yaml"


@pytest.fixture
def migrated(stanzavault: Command, config: Path) -> Path:
    outcome = stanzavault("db", "upgrade", "--config", config)
    assert outcome.status == 0, outcome.err
    return config


@pytest.fixture
def vault(stanzavault: Command, migrated: Path) -> Path:
    """The settings of a vault that is ready to run."""
    outcome = stanzavault("keys", "init", "--yes", "--config", migrated)
    assert outcome.status == 0, outcome.err
    return migrated
