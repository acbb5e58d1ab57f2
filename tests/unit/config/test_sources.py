"""Each value knows its source; an environment variable overrides the file, and the file the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from stanzavault.config import ConfigurationError, load_settings
from stanzavault.config.environment import variable_of
from stanzavault.config.settings import each_setting


def test_each_value_knows_its_source(load, file: Path) -> None:
    settings = load("component:\n  jid: vault.example.org\n  secret: s\n", STANZAVAULT_COMPONENT__PORT="5348")
    assert str(settings.source_of("component.jid")) == f"{file}:2"
    assert str(settings.source_of("component.port")) == "STANZAVAULT_COMPONENT__PORT"
    assert str(settings.source_of("component.host")) == "default"
    assert str(settings.source_of("offline.quota.bytes")) == "default"
    with pytest.raises(KeyError):
        settings.source_of("component.prot")


def test_a_variable_overrides_the_file(load) -> None:
    settings = load(
        "log: {level: error}\noffline: {quota: {messages: 5, bytes: 1MiB}}",
        STANZAVAULT_LOG__LEVEL="debug",
        STANZAVAULT_OFFLINE__QUOTA__MESSAGES="7",
        STANZAVAULT_SERVER__HOSTS="[a.example, b.example]",
        STANZAVAULT_COMPONENT__ALLOW_PLAINTEXT="true",
    )
    assert settings.log.level == "debug"
    assert (settings.offline.quota.messages, settings.offline.quota.bytes) == (7, 1 << 20)
    assert settings.server.hosts == ("a.example", "b.example")
    assert settings.component.allow_plaintext is True


def test_a_secret_in_a_variable_is_taken_as_it_stands(load) -> None:
    secret = load(STANZAVAULT_COMPONENT__SECRET="12345 # not a: comment").component.secret
    assert secret.get_secret_value() == "12345 # not a: comment"


def test_a_secret_in_a_file_of_its_own_knows_the_file_and_who_named_it(load, file: Path) -> None:
    secret = file.parent / "component.secret"
    secret.touch(mode=0o600)
    secret.write_text("from the file\n")
    settings = load("component:\n  jid: vault.example.org\n  secret_file: component.secret\n")
    assert settings.component.secret.get_secret_value() == "from the file"
    assert str(settings.source_of("component.secret")) == f"{secret}, named at {file}:3"


def test_a_variable_replaces_all_alternatives_of_the_file(load, file: Path) -> None:
    settings = load(
        "component: {jid: vault.example.org, secret_file: nowhere}\nsealing: {master_key_file: x}",
        STANZAVAULT_COMPONENT__SECRET="from the environment",
        STANZAVAULT_SEALING__MASTER_KEY_ENV="MASTER",
    )
    assert settings.component.secret.get_secret_value() == "from the environment"
    assert settings.component.secret_file is None
    assert settings.sealing.master_key_file is None
    assert settings.sealing.master_key_env == "MASTER"


def test_a_variable_that_is_no_setting_is_an_error_that_names_it(load) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(STANZAVAULT_COMPONENT__PROT="1", STANZAVAULT_CONFIG="x", STANZAVAULT_MASTER_KEY="x", HOME="x")
    assert [str(problem) for problem in caught.value.problems] == [
        "STANZAVAULT_COMPONENT__PROT: no setting has this name"
    ]


@pytest.mark.parametrize("text", ["[", "five", "true", "5.5", ""])
def test_a_wrong_variable_is_an_error_that_names_it(text: str, load) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(STANZAVAULT_COMPONENT__PORT=text)
    (problem,) = caught.value.problems
    assert str(problem).startswith("STANZAVAULT_COMPONENT__PORT: component.port: expected a whole number")


def test_no_two_settings_share_a_variable() -> None:
    variables = [variable_of(key) for key, _ in each_setting()]
    assert len(set(variables)) == len(variables)


def test_the_environment_of_the_process_is_read_where_none_is_given(write, monkeypatch) -> None:
    monkeypatch.setenv("STANZAVAULT_LOG__FORMAT", "json")
    assert load_settings(write("")).log.format == "json"
