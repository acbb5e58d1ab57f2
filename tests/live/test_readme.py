"""The README's code blocks do what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.ports import free_port
from support.process import ChildProcess
from support.prosody import Prosody
from support.readme import Block, blocks, run_block

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
[TWO_COMMANDS, SERVICE] = blocks(README, "sh")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the files that git knows, without this environment."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    for name in names:
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def server() -> Iterator[Prosody]:
    made = Prosody()
    made.start()
    yield made
    made.close()


def test_the_two_commands_are_targets_that_make_knows(clone: Path) -> None:
    commands = TWO_COMMANDS.script.split("\n")[:2]
    assert commands == ["make demo", "make test"]
    shown = subprocess.run(
        ["make", "-n", "demo", "test"], cwd=clone, check=True, capture_output=True, text=True
    ).stdout
    assert "deploy/demo/play.py" in shown
    assert "-m pytest" in shown


def test_the_commands_for_service_lead_to_a_vault_that_serves(clone: Path, server: Prosody) -> None:
    """As written, but for what the page leaves to its reader: --yes, the server's own address and secret."""
    *before, run = SERVICE.script.strip().split("\n")
    asking = [line + " --yes" if " init" in line else line for line in before]
    port = free_port()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        # the packages are here already: the installation itself is what is tried, and it asks nobody outside
        "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_TARGET": str(clone / "installed"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "STANZAVAULT_COMPONENT__JID": server.vault,
        "STANZAVAULT_COMPONENT__PORT": str(server.component_port),
        "STANZAVAULT_COMPONENT__SECRET": server.secret,
        "STANZAVAULT_SERVER__HOSTS": f"[{server.domain}]",
        "STANZAVAULT_METRICS__LISTEN": f"127.0.0.1:{port}",
    }  # fmt: skip
    block = Block("sh", (), "\n".join(asking) + "\n", SERVICE.line)
    output = run_block(block, folder=clone, environment=environment)
    assert "recovery copy" in output
    assert (clone / "installed" / "stanzavault" / "migrations" / "env.py").is_file()
    process = ChildProcess("stanzavault", run.split(), folder=clone, environment=environment)
    try:
        process.wait_for_line("connected to")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as health:
            assert b'"status": "ok"' in health.read()
    finally:
        process.stop()


def test_every_file_that_the_page_links_to_is_there() -> None:
    links = {part.split(")")[0] for part in README.read_text("utf-8").split("](")[1:]}
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
