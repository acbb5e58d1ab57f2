"""How the demo tells what happens: plain lines, with a little colour on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class StepFailed(Exception):
    """Something that should hold does not."""


class Teller:
    """Tells steps, and what was seen in each.

    Args:
        console: where to.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step; its failure is told, and goes on."""
        self._line(f"\n{title}", "bold")
        try:
            yield
        except Exception as error:
            self._line(f"  ✗ {type(error).__name__}: {error}", "red")
            raise

    def saw(self, what: str) -> None:
        """Something that was done or seen."""
        self._line(f"  ✓ {what}", "green")

    def check(self, what: str, *, holds: bool) -> None:
        """Something that has to hold.

        Raises:
            StepFailed: it does not.
        """
        if not holds:
            raise StepFailed(f"this does not hold: {what}")
        self.saw(what)

    def say(self, text: str = "") -> None:
        """Anything else."""
        self._line(text, "")

    def _line(self, text: str, style: str) -> None:
        self._console.print(text, style=style, markup=False, soft_wrap=True)
