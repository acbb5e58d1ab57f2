"""The example has every option with a comment, and the documentation is that of the models."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stanzavault.config import load_settings
from stanzavault.config.reference import EXAMPLE, PAGE, configuration_page, example_yaml
from stanzavault.config.settings import each_setting

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("path", "made"), [(EXAMPLE, example_yaml()), (PAGE, configuration_page())])
def test_the_committed_file_is_what_the_models_say(path: Path, made: str) -> None:
    assert (ROOT / path).read_text() == made, "make it anew: python -m stanzavault.config.reference"


def test_the_example_loads_and_each_default_in_it_is_the_models_default(write) -> None:
    example = load_settings(ROOT / EXAMPLE, {"STANZAVAULT_COMPONENT__SECRET": "s3cret"})
    for key, field in each_setting():
        if not field.is_required():
            default = field.get_default(call_default_factory=True)
            if key != ("sealing", "master_key_file"):
                assert example.value_of(key) == default, key


def test_every_option_stands_in_the_example_below_its_comment() -> None:
    lines = [line.strip() for line in example_yaml().splitlines()]
    for key, _ in each_setting():
        places = [
            number for number, line in enumerate(lines) if line.removeprefix("# ").startswith(f"{key[-1]}: ")
        ]
        assert places, key
        assert any(lines[number - 1].startswith("# ") for number in places), key


def test_options_that_stand_aside_in_the_example_are_sound_too(load) -> None:
    aside = [line.strip() for line in example_yaml().splitlines() if line.strip().startswith("# ")]
    given = dict(line[2:].split(": ", 1) for line in aside if line[2:].split(": ")[0] in NAMES_ASIDE)
    assert given.keys() == NAMES_ASIDE
    assert load(
        f"component: {{jid: v.example, tls: true, secret: {given['secret']}, ca_file: {given['ca_file']}}}"
    )
    for name in ("master_key_env", "master_key_command"):
        assert load(f"sealing: {{{name}: {given[name]}}}").source_of(f"sealing.{name}").line == 1


NAMES_ASIDE = {"secret", "ca_file", "url_file", "master_key_env", "master_key_command"}


def test_every_setting_is_documented_on_the_page() -> None:
    page = configuration_page()
    for key, field in each_setting():
        assert f"| `{key[-1]}` | " in page
        assert f" | {field.description} |" in page


def test_chosen_values_stand_in_the_file_that_init_writes() -> None:
    values = {"component.jid": "vault.localhost", "sealing.master_key_env": "KEY", "component.port": "6000"}
    made = yaml.safe_load(example_yaml(values))
    assert made["component"]["jid"] == "vault.localhost"
    assert made["component"]["port"] == 6000
    assert made["sealing"]["master_key_env"] == "KEY"
