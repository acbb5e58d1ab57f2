"""`stanzavault init` writes a commented YAML file and the master key, and overwrites nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from stanzavault.config import load_settings
from stanzavault.config.settings import each_setting

WRITTEN = ("stanzavault.yaml", "component.secret", "master.key")


def test_what_init_writes_is_sound_and_closed_to_others(config: Path) -> None:
    settings = load_settings(config, {})
    assert str(settings.component.jid) == "vault.example.org"
    assert settings.server.hosts == ("example.org",)
    assert len(settings.component.secret.get_secret_value()) >= 32
    assert settings.sealing.master_key_file == config.with_name("master.key")
    for name in WRITTEN:
        assert config.with_name(name).stat().st_mode & 0o777 == 0o600
    text = config.read_text()
    for key, field in each_setting():
        assert f"{key[-1]}: " in text
        assert (field.description or "")[:40] in text


def test_each_init_makes_another_secret_and_another_key(stanzavault, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert stanzavault("init", tmp_path / name, "--host", "example.org", "--yes").status == 0
    for name in ("component.secret", "master.key"):
        assert (tmp_path / "one" / name).read_text() != (tmp_path / "two" / name).read_text()


def test_the_recovery_copy_is_printed_and_the_secret_is_not(stanzavault, folder: Path) -> None:
    outcome = stanzavault("init", folder, "--host", "example.org", "--yes")
    assert (folder / "master.key").read_text().strip() in outcome.out
    assert (folder / "component.secret").read_text().strip() not in outcome.out + outcome.err
    assert "stanzavault db upgrade" in outcome.out


def test_the_recovery_copy_has_to_be_confirmed(stanzavault, folder: Path) -> None:
    outcome = stanzavault("init", folder, typed="example.org\n\nxxxxxxxx\n")
    assert outcome.status == 2
    assert "not confirmed" in outcome.err
    assert not folder.exists()


def test_a_confirmed_recovery_copy_is_that_of_the_key_written(stanzavault, folder: Path, monkeypatch) -> None:
    answers = iter(["chosen.example", "archive.chosen.example"])
    shown: list[str] = []

    def prompt(question: str, default: str = "") -> str:
        if "characters" in question:
            return shown[-1].strip()[-8:].upper()
        return next(answers)

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr(
        "stanzavault.cli.terminal.say", lambda text: shown.append(text) if "1:" in text else None
    )
    assert stanzavault("init", folder).status == 0
    assert shown[-1].strip() == (folder / "master.key").read_text().strip()
    settings = load_settings(folder / "stanzavault.yaml", {})
    assert str(settings.component.jid) == "archive.chosen.example"
    assert settings.server.hosts == ("chosen.example",)


@pytest.mark.parametrize("name", WRITTEN)
def test_nothing_is_overwritten(stanzavault, folder: Path, name: str) -> None:
    folder.mkdir()
    (folder / name).write_text("as it was")
    outcome = stanzavault("init", folder, "--host", "example.org", "--yes")
    assert outcome.status == 2
    assert f"{folder / name} exists already" in outcome.err
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == "as it was"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--yes"], "--host is not given"),
        (["--yes", "--host", "user@example.org"], "--host is not right: expected a host name"),
        (["--yes", "--host", "example.org", "--jid", "a b"], "--jid is not right"),
        (
            ["--yes", "--host", "example.org", "--database", "mysql://x/y"],
            "--database is not right: expected sqlite",
        ),
    ],
)
def test_wrong_options_are_told_and_nothing_is_written(
    stanzavault, folder: Path, arguments: list[str], said: str
) -> None:
    outcome = stanzavault("init", folder, *arguments)
    assert outcome.status == 2
    assert said in outcome.err
    assert not folder.exists()


def test_a_folder_that_can_not_be_made_is_told(stanzavault, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = stanzavault("init", tmp_path / "file" / "etc", "--host", "example.org", "--yes")
    assert outcome.status == 2
    assert "can't be written: Not a directory" in outcome.err


def test_unicode_hosts_are_written_readably(stanzavault, folder: Path) -> None:
    assert stanzavault("init", folder, "--host", "bücher.example", "--yes").status == 0
    assert load_settings(folder / "stanzavault.yaml", {}).server.hosts == ("bücher.example",)
    assert "bücher.example" in (folder / "stanzavault.yaml").read_text()
