"""Unknown keys and wrong types are errors that name the key, the line and what was expected."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stanzavault.config import ConfigurationError, load_settings
from stanzavault.config.settings import each_section, each_setting
from stanzavault.kernel.errors import OperatorError

CASES = yaml.safe_load((Path(__file__).parents[2] / "data/config/wrong.yaml").read_text())
NOT_TO_BE_COMPLETED = ("expected sections", "is not YAML")


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_an_error_names_the_key_the_line_and_what_was_expected(case: dict[str, Any], file, write) -> None:
    if case["says"] in NOT_TO_BE_COMPLETED:
        file.write_text(case["file"])
    else:
        write(case["file"])
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file, {})
    (problem,) = caught.value.problems
    assert ".".join(problem.key) == case["key"]
    assert (problem.source.place, problem.source.line) == (str(file), case["line"])
    assert case["says"] in problem.text
    assert str(problem) in caught.value.message
    assert caught.value.help


def test_all_errors_are_told_at_once_in_the_order_of_the_file(load) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(
            "metrics: {listen: 9}\nlog:\n  level: loud\n  level: info\nkeys: {rsa_bits: 1024}\n"
            "\n\n\n\ncomponent: {jid: vault.example.org}\n",
            STANZAVAULT_LIMITS__PAGE="many",
        )
    assert [(problem.source.line, ".".join(problem.key)) for problem in caught.value.problems] == [
        (1, "metrics.listen"),
        (3, "log.level"),
        (4, "log.level"),
        (5, "keys.rsa_bits"),
        (10, "component.secret"),
        (0, "limits.page"),
    ]


def test_an_empty_file_is_told_all_that_is_missing(file: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file, {})
    assert {".".join(problem.key) for problem in caught.value.problems} == {
        "component.jid", "component.secret", "server.hosts", "sealing.master_key_file",
    }  # fmt: skip


def test_a_file_that_is_not_there_is_told_with_what_helps(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        load_settings(tmp_path / "nowhere.yaml", {})
    assert "No such file" in caught.value.message
    assert "stanzavault init" in caught.value.help


def test_a_file_in_another_encoding_is_told(file: Path) -> None:
    file.write_bytes("# für müller@example.org".encode("latin-1"))
    with pytest.raises(OperatorError, match="UTF-8"):
        load_settings(file, {})


@pytest.mark.parametrize(
    "line",
    [
        "secret: 8675309",
        "secret: [hunter2]",
        "secret: {hunter2: hunter3}",
        "secret: *hunter2",
        "secret: !hunter2 x",
        "secret: !!int hunter2",
        'secret: "hunter2',
        "secret: @hunter2",
        "secret: %hunter2",
        "secret: |hunter2",
        "secret: hunter2: x",
        "secret: &hunter2 5",
        "secret: 'x'\n  hunter2",
        "secretx: hunter2",
    ],
)
def test_an_error_never_quotes_a_secret(line: str, file: Path) -> None:
    file.write_text(f"component:\n  jid: vault.example.org\n  {line}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file, {})
    told = f"{caught.value!r} {caught.value} {caught.value.problems!r} {caught.value.__cause__!r}"
    assert "hunter" not in told
    assert "8675309" not in told


names = st.sampled_from([name for key, _ in [*each_setting(), *each_section()] for name in key]) | st.text(
    max_size=5
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.binary()
)
trees = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=20)


@settings(deadline=None)
@given(trees.map(lambda tree: yaml.safe_dump(tree).encode()) | st.text().map(str.encode) | st.binary())
def test_whatever_a_file_holds_is_settings_or_a_readable_error(content: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(content)
        file.flush()
        try:
            load_settings(Path(file.name), {})
        except OperatorError as error:
            lines = error.message.splitlines()
            assert all(line.startswith(file.name) for line in lines)
