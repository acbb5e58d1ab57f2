"""From a file and the environment to settings: what overrides what, and everything that is wrong at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from stanzavault.config.environment import read_environment
from stanzavault.config.explain import explain
from stanzavault.config.problems import ConfigurationError, Problem
from stanzavault.config.secret_files import read_secret_file, refuse_open_to_others
from stanzavault.config.settings import Settings, each_section, each_setting
from stanzavault.config.sources import Key, Layer, Source
from stanzavault.config.values import DatabaseUrl
from stanzavault.config.written import is_secret
from stanzavault.config.yaml_file import read_yaml
from stanzavault.kernel.errors import OperatorError

_FILE = "_file"


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read settings; an environment variable overrides the file, and the file the defaults.

    A source that gives one of several alternatives (`secret`, `secret_file`) replaces what a weaker source
    gave of them. Secrets in files of their own are read here: a wrong one is told before anything starts.

    Args:
        path: the YAML file.
        environ: environment variables; those of the process if None.

    Raises:
        ConfigurationError: something in it is wrong; it tells all of it.
        OperatorError: the file can't be read.
    """
    layer, problems = read_yaml(path)
    _fill_empty_sections(layer)
    over, wrong_variables = read_environment(os.environ if environ is None else environ)
    problems += wrong_variables
    problems += [*_too_many_alternatives(layer), *_too_many_alternatives(over)]
    problems += _secrets_in_the_open(layer, path)
    _override(layer, over)
    folder = path.absolute().parent
    problems += _read_secret_files(layer, folder)
    try:
        settings = Settings.model_validate(layer.values, context={"folder": folder})
    except ValidationError as error:
        problems += explain(error, layer, path)
    if problems:
        told = _without_repetitions(problems)
        raise ConfigurationError(
            sorted(told, key=lambda problem: (problem.source.place, problem.source.line))
        )
    return settings.with_sources(layer.sources)


def _fill_empty_sections(layer: Layer) -> None:
    """A section that is not there has defaults, and so has one without settings, which is YAML's null."""
    for key, _ in each_section():
        above = layer.section(key[:-1])
        if key and above.get(key[-1]) is None:
            above[key[-1]] = {}


def _too_many_alternatives(layer: Layer) -> Iterator[Problem]:
    for key, section in each_section():
        given = [name for name in section.alternatives if name in layer.section(key)]
        for name in given[1:]:
            other = layer.sources[*key, given[0]]
            text = f"expected no more than one of {', '.join(section.alternatives)}; another is at {other}"
            yield Problem(layer.sources[*key, name], (*key, name), text)
            layer.take_out((*key, name))


def _secrets_in_the_open(layer: Layer, path: Path) -> Iterator[Problem]:
    for key, field in each_setting():
        value = layer.section(key[:-1]).get(key[-1])
        if not is_secret(field) or not isinstance(value, str) or _tells_no_secret(key, value):
            continue
        try:
            refuse_open_to_others(path, path.stat().st_mode)
        except OperatorError as error:
            yield Problem(layer.sources[key], key, f"{error.message}; mend it with: {error.help}")


def _tells_no_secret(key: Key, value: str) -> bool:
    return key == ("database", "url") and not DatabaseUrl(value).holds_secret


def _override(layer: Layer, over: Layer) -> None:
    for key, section in each_section():
        if any(name in over.section(key) for name in section.alternatives):
            for name in section.alternatives:
                layer.take_out((*key, name))
    for key, source in over.sources.items():
        layer.put(key, over.section(key[:-1])[key[-1]], source)


def _read_secret_files(layer: Layer, folder: Path) -> Iterator[Problem]:
    """Put the content of `secret_file` where `secret` would stand, for each setting that has such a pair."""
    fields = dict(each_setting())
    for key in fields:
        named = (*key[:-1], key[-1] + _FILE)
        file = layer.section(key[:-1]).get(named[-1]) if named in fields else None
        if not isinstance(file, str):
            continue
        try:
            content = read_secret_file(folder / file)
        except OperatorError as error:
            yield Problem(layer.sources[named], named, f"{error.message}; this helps: {error.help}")
        else:
            layer.put(key, content, Source(str(folder / file), through=layer.sources[named]))


def _without_repetitions(problems: list[Problem]) -> Iterator[Problem]:
    """One problem a place; and a secret whose file is wrong is not missing, too."""
    told = {problem.key for problem in problems}
    for problem in {(problem.source, problem.key): problem for problem in reversed(problems)}.values():
        file = (*problem.key[:-1], f"{problem.key[-1]}{_FILE}") if problem.key else ()
        if not (problem.text.startswith("is missing") and file in told):
            yield problem
