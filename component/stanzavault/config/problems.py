"""What is wrong with a configuration, all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stanzavault.config.sources import Key, Source
from stanzavault.kernel.errors import OperatorError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        source: where it stands.
        key: the setting, or nothing where the file itself is meant.
        text: what is wrong and what was expected; never a value that may be secret.
    """

    source: Source
    key: Key
    text: str

    def __str__(self) -> str:
        told = ": ".join(part for part in (str(self.source), ".".join(self.key), self.text) if part)
        return "".join(character if character.isprintable() else "\ufffd" for character in told)


class Contradiction(ValueError):
    """A value that is wrong in one of its parts, or beside another value.

    Args:
        part: what is to blame within the section or the list that is checked: a key, or a place from 0.
        text: what was expected.
    """

    def __init__(self, part: str, text: str) -> None:
        super().__init__(text)
        self.part = part


class ConfigurationError(OperatorError):
    """The configuration can't be used.

    Args:
        problems: at least one, in the order of the file.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(
            "\n".join(map(str, problems)),
            "Mend this and try again; docs/configuration.md tells what every setting may be.",
        )
        self.problems = tuple(problems)
