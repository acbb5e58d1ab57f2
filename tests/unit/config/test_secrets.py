"""Secrets come from a file or the environment as well as inline, and never print."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from stanzavault.config import ConfigurationError, load_settings, read_master_key, read_secret_file
from stanzavault.config.settings import Sealing
from stanzavault.config.values import DatabaseUrl
from stanzavault.kernel.errors import OperatorError

SECRET = "correct horse battery staple"


def secret_file(folder: Path, mode: int = 0o600, content: bytes = SECRET.encode() + b"\n") -> Path:
    path = folder / "component.secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_secrets_never_print(load) -> None:
    settings = load(
        f"component: {{jid: vault.example.org, secret: {SECRET}}}\n"
        "database: {url: 'postgresql://vault:battery@db.example.org/vault?password=staple'}"
    )
    for text in (
        repr(settings),
        str(settings),
        f"{settings.component}{settings.database}{settings.component.secret}",
    ):
        assert "battery" not in text
        assert "staple" not in text


def test_the_password_of_a_database_is_masked_and_the_rest_is_told() -> None:
    url = DatabaseUrl("postgresql://vault:s3cret@db.example.org:5432/vault")
    assert str(url) == "postgresql://vault:**********@db.example.org:5432/vault"
    assert url.get_secret_value().endswith("s3cret@db.example.org:5432/vault")
    assert (
        str(DatabaseUrl("postgresql://vault@db.example.org/vault"))
        == "postgresql://vault@db.example.org/vault"
    )
    assert str(DatabaseUrl("postgresql://[s3cret")) == "**********"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o620, 0o601])
def test_a_secret_file_open_to_others_is_refused_with_the_chmod_that_helps(tmp_path: Path, mode: int) -> None:
    path = secret_file(tmp_path, mode)
    with pytest.raises(OperatorError) as caught:
        read_secret_file(path)
    assert f"(mode {mode:04o})" in caught.value.message
    assert os.system(caught.value.help) == 0
    assert read_secret_file(path) == SECRET


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_a_secret_file_closed_to_others_is_read(tmp_path: Path, mode: int) -> None:
    assert read_secret_file(secret_file(tmp_path, mode)) == SECRET


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"two\nlines\n", b"\xff\xfe", b"nul\x00", b"x" * 70_000],
    ids=lambda c: repr(c[:9]),
)
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(OperatorError, match="does not hold"):
        read_secret_file(secret_file(tmp_path, content=content))


def test_a_folder_is_no_secret_file(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="can't be read: Is a directory"):
        read_secret_file(tmp_path)


def test_an_open_secret_file_is_told_with_the_line_that_names_it(load, file: Path) -> None:
    path = secret_file(file.parent, 0o644)
    with pytest.raises(ConfigurationError) as caught:
        load("component:\n  jid: vault.example.org\n  secret_file: component.secret\n")
    (problem,) = caught.value.problems
    assert str(problem).startswith(
        f"{file}:3: component.secret_file: {path} holds a secret and is open to others"
    )
    assert f"chmod g-w,o-rwx {path}" in problem.text


@pytest.mark.parametrize(
    "text",
    [
        "component: {jid: vault.example.org, secret: s3cret}",
        "component: {jid: vault.example.org, secret_file: component.secret}\ndatabase: {url: 'postgresql://v:s@db/v'}",
    ],
)
def test_a_configuration_with_a_secret_in_it_must_be_closed_to_others(text: str, write, file: Path) -> None:
    secret_file(file.parent)
    write(text)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match=f"chmod g-w,o-rwx {file}"):
        load_settings(file, {})
    file.chmod(0o640)
    load_settings(file, {})


def test_a_configuration_without_secrets_may_be_read_by_anybody(write, file: Path) -> None:
    secret_file(file.parent)
    write(
        "component: {jid: vault.example.org, secret_file: component.secret}\n"
        "database: {url: 'postgresql://vault@db.example.org/vault'}"
    )
    file.chmod(0o644)
    assert load_settings(file, {}).component.secret.get_secret_value() == SECRET


def test_the_master_key_comes_from_a_file(tmp_path: Path) -> None:
    path = secret_file(tmp_path, content=b"first line\nsecond line, while the key is rotated\n")
    assert read_master_key(Sealing(master_key_file=path)).splitlines()[0] == "first line"
    path.chmod(0o644)
    with pytest.raises(OperatorError, match="open to others"):
        read_master_key(Sealing(master_key_file=path))


def test_the_master_key_comes_from_a_variable(monkeypatch) -> None:
    sealing = Sealing(master_key_env="TEST_MASTER_KEY")
    with pytest.raises(OperatorError, match="TEST_MASTER_KEY is not set"):
        read_master_key(sealing)
    monkeypatch.setenv("TEST_MASTER_KEY", "the key")
    assert read_master_key(sealing) == "the key"


def test_the_master_key_comes_from_a_command_that_no_shell_sees() -> None:
    def key(*words: str) -> str:
        return read_master_key(Sealing(master_key_command=(sys.executable, "-c", *words)))

    assert key("import sys; print(sys.argv[1])", "$HOME; *") == "$HOME; *\n"
    with pytest.raises(OperatorError, match="ended with status 3"):
        key("raise SystemExit(3)")
    with pytest.raises(OperatorError, match="not text"):
        key("import sys; sys.stdout.buffer.write(b'\\xff')")
    with pytest.raises(OperatorError, match="can't be started: No such file"):
        read_master_key(Sealing(master_key_command=("/nowhere/command",)))
