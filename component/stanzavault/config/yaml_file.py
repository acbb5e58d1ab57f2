"""A YAML file as plain values, with the line of every key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from stanzavault.config.problems import ConfigurationError, Problem
from stanzavault.config.sources import Key, Layer, Source
from stanzavault.kernel.errors import OperatorError

_QUOTED_TEXT = re.compile(r"'[^']{2,}'")


def read_yaml(path: Path) -> tuple[Layer, list[Problem]]:
    """Read a file into a layer of settings.

    Returns:
        What it gives, and what is wrong with its keys: those that stand twice, or are not text.

    Raises:
        OperatorError: the file can't be read.
        ConfigurationError: it is not YAML, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise OperatorError(
            f"{path} can't be read: {error.strerror}",
            "Name the file with --config or STANZAVAULT_CONFIG, or make one with: stanzavault init",
        ) from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path} is not text in UTF-8", "Save it in that encoding.") from error
    try:
        return _Reader(path, yaml.SafeLoader(text)).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        source = Source(str(path), mark.line + 1 if mark else 0)
        raise ConfigurationError([Problem(source, (), _without_quotations(error))]) from None
    except yaml.YAMLError:
        problem = Problem(Source(str(path)), (), "holds a character that YAML forbids")
        raise ConfigurationError([problem]) from None


def _without_quotations(error: yaml.MarkedYAMLError) -> str:
    """What the parser says, less what it quotes from the file: that may be half a secret."""
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return f"is not YAML: {_QUOTED_TEXT.sub('some text', said)}; put text with special characters in quotes"


class _Reader:
    def __init__(self, path: Path, loader: yaml.SafeLoader) -> None:
        self._path = path
        self._loader = loader
        self._layer = Layer()
        self._problems: list[Problem] = []

    def read(self) -> tuple[Layer, list[Problem]]:
        root = self._loader.get_single_node()
        if isinstance(root, yaml.MappingNode):
            self._layer.values = self._mapping(root, ())
        elif root is not None:
            raise ConfigurationError([Problem(self._at(root), (), "expected sections, such as component:")])
        return self._layer, self._problems

    def _at(self, node: yaml.Node) -> Source:
        return Source(str(self._path), node.start_mark.line + 1)

    def _value(self, node: yaml.Node, key: Key) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*key, str(place))) for place, item in enumerate(node.value)]
        try:
            return self._loader.construct_object(node)
        except ValueError:  # such as a date in a thirteenth month
            self._problems.append(Problem(self._at(node), key, "can't be read; text goes in quotes"))
            return None

    def _item(self, node: yaml.Node, key: Key) -> Any:
        self._layer.sources[key] = self._at(node)
        return self._value(node, key)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name_node, value_node in node.value:
            at = self._at(name_node)
            if not isinstance(name_node, yaml.ScalarNode) or name_node.tag != "tag:yaml.org,2002:str":
                self._problems.append(Problem(at, key, "expected the name of a setting before the colon"))
                continue
            name: str = name_node.value
            below = (*key, name)
            if name in values:
                first = self._layer.sources[below].line
                self._problems.append(Problem(at, below, f"stands twice; the first is on line {first}"))
                continue
            self._layer.sources[below] = at
            values[name] = self._value(value_node, below)
        return values
