"""The systemd unit is sound and hardened, and what it says of the program is so."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from stanzavault.config.environment import variable_of
from stanzavault.config.quantities import parse_duration
from stanzavault.config.settings import Component, each_setting

UNIT = Path(__file__).parents[3] / "deploy/systemd/stanzavault.service"
_PROGRAM = "/opt/stanzavault/bin/stanzavault"
_MOST_EXPOSED = 15  # of 100, as systemd-analyze counts


@pytest.fixture(scope="module")
def unit() -> Mapping[str, Mapping[str, list[str]]]:
    """Sections, their settings, and every value of each, as systemd.syntax(7) says."""
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if not line or line.startswith(("#", ";")):
            continue
        if heading := re.fullmatch(r"\[([A-Z][a-z]+)\]", line):
            section = sections.setdefault(heading[1], {})
            continue
        name, equals, value = line.partition("=")
        assert equals, line
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), line
        section.setdefault(name, []).append(value)
    return sections


def test_the_unit_has_its_three_sections_and_starts_the_service(unit) -> None:
    assert unit.keys() == {"Unit", "Service", "Install"}
    assert unit["Service"]["Type"] == ["exec"]
    assert shlex.split(unit["Service"]["ExecStart"][0]) == [_PROGRAM, "run"]
    assert unit["Service"]["User"] == ["stanzavault"]
    assert unit["Service"]["RestartPreventExitStatus"] == ["2"]


def test_a_stop_has_longer_than_the_vault_takes_to_finish(unit) -> None:
    assert unit["Service"]["KillSignal"] == ["SIGTERM"]
    default = Component.model_fields["stop_within"].default
    assert parse_duration(unit["Service"]["TimeoutStopSec"][0]) >= default + timedelta(seconds=10)


def test_the_secret_is_a_credential_and_each_variable_is_a_setting(unit) -> None:
    environment = dict(value.split("=", 1) for value in unit["Service"]["Environment"])
    known = {variable_of(key) for key, _ in each_setting()} | {"STANZAVAULT_CONFIG"}
    assert environment.keys() <= known
    assert unit["Service"]["LoadCredential"] == ["component.secret:/etc/stanzavault/component.secret"]
    assert environment["STANZAVAULT_COMPONENT__SECRET_FILE"] == "%d/component.secret"
    assert not any(re.search(r"SECRET$|URL$|MASTER_KEY$", name) for name in environment)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("NoNewPrivileges", "yes"), ("CapabilityBoundingSet", ""), ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"), ("PrivateDevices", "yes"), ("MemoryDenyWriteExecute", "yes"),
        ("RestrictNamespaces", "yes"), ("LockPersonality", "yes"), ("UMask", "0077"), ("LimitCORE", "0"),
        ("StateDirectoryMode", "0700"), ("SystemCallArchitectures", "native"), ("IPAddressDeny", "any"),
    ],
)  # fmt: skip
def test_the_unit_is_hardened(unit, setting: str, value: str) -> None:
    assert unit["Service"][setting] == [value]


def test_systemd_itself_finds_nothing_to_say_where_it_is_there(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return  # the tests above have parsed it
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(_PROGRAM, "/bin/true"))
    verified = subprocess.run(
        [analyze, "verify", "--man=no", copy], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    secure = subprocess.run(
        [analyze, "security", "--offline=yes", f"--threshold={_MOST_EXPOSED}", "--no-pager", copy],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert secure.returncode == 0, secure.stdout
