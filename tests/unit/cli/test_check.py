"""`stanzavault check FILE` tells every error, or every value with the place that it comes from."""

from __future__ import annotations

from pathlib import Path

from stanzavault.config.settings import each_setting


def test_each_value_is_shown_with_its_source_and_secrets_are_not(
    stanzavault, config: Path, monkeypatch
) -> None:
    monkeypatch.setenv("STANZAVAULT_COMPONENT__PORT", "6000")
    monkeypatch.setenv("STANZAVAULT_DATABASE__URL", "postgresql://vault:battery@db.example.org/vault")
    outcome = stanzavault("check", config)
    assert outcome.status == 0
    lines = {line.split()[0]: line for line in outcome.out.splitlines() if line}
    assert lines.keys() >= {".".join(key) for key, _ in each_setting()}
    assert lines["component.port"].split()[1:] == ["6000", "STANZAVAULT_COMPONENT__PORT"]
    assert lines["component.answer_within"].split()[1] == "20s"
    assert lines["component.answer_within"].split()[2].startswith("stanzavault.yaml:")
    assert lines["database.url"].split()[1] == "postgresql://vault:**********@db.example.org/vault"
    assert lines["component.secret"].split()[1] == "**********"
    assert "component.secret, named at stanzavault.yaml:" in lines["component.secret"]
    assert lines["component.ca_file"].split()[1:] == ["not", "set", "default"]
    assert "battery" not in outcome.out
    assert config.with_name("component.secret").read_text().strip() not in outcome.out


def test_every_error_is_told_and_the_status_is_2(stanzavault, config: Path) -> None:
    config.write_text(config.read_text().replace("port: 5347", "prot: 5347").replace("page: 100", "page: 0"))
    outcome = stanzavault("check", config)
    assert outcome.status == 2
    assert f"stanzavault: {config}:13: component.prot: is not a setting; did you mean port?" in outcome.err
    assert "limits.page: expected at least 1" in outcome.err
    assert outcome.out == ""


def test_a_file_that_is_not_there_is_told_with_what_helps(stanzavault, tmp_path: Path) -> None:
    outcome = stanzavault("check", tmp_path / "nowhere.yaml")
    assert outcome.status == 2
    assert (
        outcome.err.splitlines()[0]
        == f"stanzavault: {tmp_path}/nowhere.yaml can't be read: No such file or directory"
    )
    assert "stanzavault init" in outcome.err


def test_the_file_is_the_one_that_the_environment_names(stanzavault, config: Path, monkeypatch) -> None:
    monkeypatch.setenv("STANZAVAULT_CONFIG", str(config))
    assert stanzavault("check").out.endswith(f"{config} is sound.\n")
    assert stanzavault("db", "upgrade", "nonsense").err.startswith("stanzavault: There is no revision")
