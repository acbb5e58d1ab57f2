"""What the models refuse, in words that help whoever wrote the file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from stanzavault.config.problems import Contradiction, Problem
from stanzavault.config.settings import each_section, each_setting
from stanzavault.config.sources import Key, Layer, Source
from stanzavault.config.written import expected, show

_KINDS = {
    type(None): "nothing",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "other text",
    list: "a list",
    dict: "settings",
}


def explain(error: ValidationError, layer: Layer, path: Path) -> Iterator[Problem]:
    """Every finding with its key and its place; a value is never quoted, since it may be a misplaced secret.

    Args:
        error: the findings.
        layer: the values that were validated, with their sources.
        path: the file, for what is nowhere.
    """
    for detail in error.errors(include_url=False):
        key = tuple(map(str, detail["loc"]))
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, Contradiction):
            key = (*key, cause.part)
        text = str(cause) if isinstance(cause, ValueError) else _text(detail, key)
        yield Problem(layer.source_near(key) or Source(str(path)), key, text)


def _text(detail: ErrorDetails, key: Key) -> str:
    fields = dict(each_setting())
    kind = detail["type"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(key)
    if key not in fields:
        return f"expected settings, indented below it, got {_kind(detail['input'])}"
    field = fields[key]
    if kind == "missing":
        file = (*key[:-1], f"{key[-1]}_file")
        return f"is missing: expected {expected(field)}" + (f", or {file[-1]}" if file in fields else "")
    if kind in ("greater_than_equal", "less_than_equal"):
        least = kind == "greater_than_equal"
        return f"expected at {'least' if least else 'most'} {show(field, context['ge' if least else 'le'])}"
    return f"expected {expected(field)}, got {_kind(detail['input'])}"


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "something else")


def _unknown(key: Key) -> str:
    section = dict(each_section())[key[:-1]]
    close = difflib.get_close_matches(key[-1], section.model_fields, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    where = f"{'.'.join(key[:-1])} has" if key[:-1] else "there are"
    return f"is not a setting; {hint}{where} {', '.join(section.model_fields)}"
