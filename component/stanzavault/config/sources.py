"""Where a setting's value comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, ...]
"""The names that lead to a setting, such as ("component", "port")."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place that gives a value.

    Attributes:
        place: a file, an environment variable, or "default".
        line: the line of the file, from 1; 0 where the place has no lines.
        through: the setting that named the place, where a setting names a file with the value.
    """

    place: str
    line: int = 0
    through: Source | None = None

    def __str__(self) -> str:
        text = f"{self.place}:{self.line}" if self.line else self.place
        return f"{text}, named at {self.through}" if self.through else text


DEFAULT = Source("default")


@dataclass(slots=True)
class Layer:
    """All that one kind of source gives.

    Attributes:
        values: nested as the models are; not yet validated.
        sources: where each key stands, those of sections, of items of lists and of wrong keys included.
    """

    values: dict[str, Any] = field(default_factory=dict, repr=False)
    sources: dict[Key, Source] = field(default_factory=dict)

    def section(self, key: Key) -> dict[str, Any]:
        """The values of a section, empty where it is not there or is not a section."""
        values: Any = self.values
        for name in key:
            values = values.get(name) if isinstance(values, dict) else None
        return values if isinstance(values, dict) else {}

    def put(self, key: Key, value: object, source: Source) -> None:
        """Set one value; a section that is not there yet, or is no section, gives way."""
        values = self.values
        for name in key[:-1]:
            if not isinstance(values.get(name), dict):
                values[name] = {}
            values = values[name]
        values[key[-1]] = value
        self.drop_sources(key)
        self.sources[key] = source

    def take_out(self, key: Key) -> None:
        """Forget one value."""
        self.section(key[:-1]).pop(key[-1], None)
        self.drop_sources(key)

    def drop_sources(self, key: Key) -> None:
        """Forget where a key and all below it stand."""
        self.sources = {other: source for other, source in self.sources.items() if other[: len(key)] != key}

    def source_near(self, key: Key) -> Source | None:
        """Where a key stands, or the nearest section above it that does."""
        while key:
            if key in self.sources:
                return self.sources[key]
            key = key[:-1]
        return None
