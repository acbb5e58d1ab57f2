"""How a type of setting is written: shared by error messages, `stanzavault check` and the documentation."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import SecretStr
from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class Written:
    """Mark on a type of setting.

    Attributes:
        expected: what may stand there, as the end of "expected ...".
        show: a value as the file would have it; never a secret.
    """

    expected: str
    show: Callable[[Any], str] = str


def expected(field: FieldInfo) -> str:
    """What may stand in a field, as the end of "expected ..."."""
    for mark in _marks(field):
        if isinstance(mark, Written):
            return mark.expected
    if get_origin(field.annotation) is Literal:
        *others, last = get_args(field.annotation)
        return f"{', '.join(others)} or {last}"
    if field.annotation is bool:
        return "true or false"
    if field.annotation is int:
        least = next(mark.ge for mark in field.metadata if isinstance(mark, annotated_types.Ge))
        most = next(mark.le for mark in field.metadata if isinstance(mark, annotated_types.Le))
        return f"a whole number from {least} to {most}"
    return "settings of its own, indented below it"


def show(field: FieldInfo, value: object) -> str:
    """A field's value as the file would have it; a secret is only told to be there."""
    if value is None:
        return ""
    for mark in _marks(field):
        if isinstance(mark, Written):
            return mark.show(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def is_text(field: FieldInfo) -> bool:
    """Whether a value is text, and neither a number nor true or false nor a list."""
    return not any(part in (int, bool) or get_origin(part) is tuple for part in _parts(field.annotation))


def is_secret(field: FieldInfo) -> bool:
    """Whether a field's value may never be printed."""
    return any(isinstance(part, type) and issubclass(part, SecretStr) for part in _parts(field.annotation))


def _marks(field: FieldInfo) -> Iterator[object]:
    yield from field.metadata
    for part in _parts(field.annotation):
        if get_origin(part) is Annotated:
            yield from part.__metadata__


def _parts(annotation: object) -> Iterator[Any]:
    yield annotation
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        for part in get_args(annotation):
            yield from _parts(part)
