"""`stanzavault run` serves until SIGTERM or SIGINT, and then ends by itself."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

from stanzavault.config import Settings
from stanzavault.kernel.errors import OperatorError


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is run in the place of the service, which has tests of its own."""
    seen: list[object] = []

    async def run_vault(settings: Settings, stop: asyncio.Event) -> None:
        seen.append(type(asyncio.get_running_loop()).__module__.partition(".")[0])
        logging.getLogger("stanzavault.app").info("serving on port %d", settings.component.port)
        logging.getLogger("stanzavault.app").info("connected to %s", settings.component.host)
        signals = iter(seen[0] if isinstance(seen[0], tuple) else ())
        for number in signals:
            os.kill(os.getpid(), number)
        await stop.wait()
        seen.append("finished what was in flight")

    monkeypatch.setitem(sys.modules, "stanzavault.app", types.SimpleNamespace(run_vault=run_vault))
    return seen


@pytest.mark.parametrize(
    "signals", [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGINT, signal.SIGINT, signal.SIGTERM)]
)
def test_a_signal_stops_it_cleanly_and_more_of_them_do_not_interrupt_that(
    stanzavault, config: Path, served: list[object], signals: tuple[signal.Signals, ...]
) -> None:
    served.append(signals)
    outcome = stanzavault("run", "--config", config)
    assert outcome.status == 0
    assert served[-1] == "finished what was in flight"
    assert "serving on port 5347" in outcome.err
    assert "connected to 127.0.0.1" in outcome.err


def test_uvloop_is_used_where_it_is_there(
    stanzavault, config: Path, served: list[object], monkeypatch
) -> None:
    served.append((signal.SIGTERM,))
    stanzavault("run", "--config", config)
    assert served[1] == "uvloop"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    del served[1:]
    stanzavault("run", "--config", config)
    assert served[1] == "asyncio"


def test_what_an_operator_has_to_mend_is_one_readable_line_and_what_helps(
    stanzavault, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run_vault(settings: Settings, stop: asyncio.Event) -> None:
        raise OperatorError("The database is empty.", "Run: stanzavault db upgrade")

    monkeypatch.setitem(sys.modules, "stanzavault.app", types.SimpleNamespace(run_vault=run_vault))
    outcome = stanzavault("run", "--config", config)
    assert outcome.status == 2
    assert outcome.err == "stanzavault: The database is empty.\nRun: stanzavault db upgrade\n"


def test_wrong_settings_stop_the_start(stanzavault, config: Path) -> None:
    config.chmod(0o600)
    config.write_text("component: {}\n")
    outcome = stanzavault("run", "--config", config)
    assert outcome.status == 2
    assert "component.jid: is missing" in outcome.err


def test_a_fault_of_ours_ends_it_with_a_guarded_line_and_no_traceback(config: Path) -> None:
    script = """
import sys, types
async def run_vault(settings, stop):
    raise ValueError("<body>meet me at the old mill</body>")
sys.modules["stanzavault.app"] = types.SimpleNamespace(run_vault=run_vault)
from stanzavault.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, "run", "--config", config], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "an exception was not caught" in done.stderr
    assert "error=ValueError" in done.stderr
    assert "Traceback" not in done.stderr
    assert "mill" not in done.stdout + done.stderr
