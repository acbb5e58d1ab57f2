"""What the commands share: plain words, plain words on errors, progress."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_GROUP = 4


class Counter:
    """Moves a bar.

    Args:
        bar: of which it moves the only task.
    """

    def __init__(self, bar: Progress, doing: str) -> None:
        self._bar = bar
        self._task = bar.add_task(doing, total=None)

    def expect(self, total: int) -> None:
        """Tell how much there is."""
        self._bar.update(self._task, total=total)

    def advance(self) -> None:
        """One more is done."""
        self._bar.advance(self._task)


@contextmanager
def progress(doing: str) -> Iterator[Counter]:
    """Show on standard error that something goes on, and how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Counter(bar, doing)


def say(text: str = "") -> None:
    """Print a line of output, whatever brackets or lengths it has; nothing in it steers the terminal."""
    lines = (visible(line) for line in text.split("\n"))
    Console().print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def tell_error(text: str) -> None:
    """Print what is wrong."""
    console = Console(stderr=True)
    for line in text.splitlines():
        console.print(
            f"stanzavault-client: {visible(line)}", style="red", markup=False, highlight=False, soft_wrap=True
        )


def visible(text: str) -> str:
    """Text that can't steer a terminal: whatever is not printable is replaced."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def in_groups(digits: str) -> str:
    """Hexadecimal digits as they are compared by voice."""
    return " ".join(digits[start : start + _GROUP] for start in range(0, len(digits), _GROUP))


def explain(error: Exception) -> str | None:
    """What a user is told of an error; None where it is a fault of the program."""
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return f"{error.filename or 'A file'}: {error.strerror or error}"
    if "stanzavault_client.errors" in sys.modules:
        from stanzavault_client.errors import ClientError  # noqa: PLC0415 - only what is loaded can have been raised

        if isinstance(error, ClientError):
            return str(error)
    if "slixmpp" in sys.modules:
        from slixmpp.exceptions import IqTimeout, XMPPError  # noqa: PLC0415 - as above

        if isinstance(error, IqTimeout):
            return "The vault did not answer in time."
        if isinstance(error, XMPPError):
            return f"The vault refuses: {error.text or error.condition}"
    if "stanzavault.kernel.errors" in sys.modules:
        from stanzavault.kernel.errors import StanzaError  # noqa: PLC0415 - as above

        if isinstance(error, StanzaError):
            return error.text
    return None
