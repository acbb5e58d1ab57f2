from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stanzavault.config import Settings, load_settings

SOUND = {
    "component": "component: {jid: vault.example.org, secret: s3cret}\n",
    "server": "server: {hosts: [example.org]}\n",
    "sealing": "sealing: {master_key_file: master.key}\n",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "stanzavault.yaml"
    for name in (path, tmp_path / "component.secret"):
        name.touch(mode=0o600)
    (tmp_path / "component.secret").write_text("from the file\n")
    return path


@pytest.fixture
def write(file: Path) -> Callable[[str], Path]:
    """Write a file; the sections that every configuration needs are added where they are not there."""

    def write(text: str) -> Path:
        added = "".join(section for name, section in SOUND.items() if f"{name}:" not in text)
        file.write_text(f"{text.rstrip()}\n{added}" if added else text)
        return file

    return write


@pytest.fixture
def load(write: Callable[[str], Path]) -> Callable[..., Settings]:
    def load(text: str = "", **environ: str) -> Settings:
        return load_settings(write(text), environ)

    return load
