"""What the commands share: options, plain words on errors, progress, and a confirmed recovery copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stanzavault.kernel.errors import OperatorError

DEFAULT_FOLDER = Path("/etc/stanzavault")
FILE_NAME = "stanzavault.yaml"
DEFAULT_CONFIG = DEFAULT_FOLDER / FILE_NAME

ConfigFile = Annotated[
    Path,
    typer.Option(
        "--config", metavar="FILE", envvar="STANZAVAULT_CONFIG", help="The YAML file with the settings."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask, for automation.")]

_GROUP = 8


def say(text: str) -> None:
    """Print a line of output, whatever brackets or lengths it has."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def tell_error(error: OperatorError) -> None:
    """Print what is wrong, and what to do about it."""
    console = Console(stderr=True)
    for line in error.message.splitlines():
        console.print(f"stanzavault: {line}", style="red", markup=False, highlight=False, soft_wrap=True)
    if error.help:
        console.print(error.help, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error; gives what is told (done, of how much)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def confirm_recovery_copy(text: str, *, yes: bool) -> bool:
    """Show a master key's recovery copy, and have its end typed as a sign that it was kept.

    Args:
        text: the recovery copy.
        yes: ask nothing.
    """
    say("The recovery copy of the master key. Write it down, and keep it apart from this machine:")
    say(f"\n    {text}\n")
    say("Without it, a lost master key loses all that the vault has sealed. Whoever has it can read that.")
    if yes:
        return True
    typed: str = typer.prompt(f"Type its last {_GROUP} characters")
    return typed.strip().lower() == text[-_GROUP:].lower()


def require_recovery_copy(text: str, *, yes: bool) -> None:
    """Like `confirm_recovery_copy`.

    Raises:
        OperatorError: it was not confirmed.
    """
    if not confirm_recovery_copy(text, yes=yes):
        raise OperatorError("The recovery copy was not confirmed: nothing was changed.", "Run it again.")
