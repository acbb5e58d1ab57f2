"""`stanzavault backup` and `stanzavault restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stanzavault.cli.tasks import finish
from stanzavault.cli.terminal import DEFAULT_CONFIG, ConfigFile, progress, say
from stanzavault.config import load_settings


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Copy the SQLite database into a new file, while the vault runs or not, without the master key."""
    from stanzavault import upkeep  # noqa: PLC0415 - help loads nothing heavy

    settings = load_settings(config)
    with progress("Copying pages") as tell:
        upkeep.backup(settings, file, tell)
    say(f"{file} holds the database as it was at one instant. It opens with the present master key only.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `stanzavault backup` made.")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Put a backup in the place of the SQLite database, which must not be there; see that its vault opens."""
    from stanzavault import upkeep  # noqa: PLC0415 - help loads nothing heavy

    settings = load_settings(config)
    with progress("Copying pages") as tell:
        finish(upkeep.restore(settings, file, tell))
    say("The database is restored, and the master key opens it.")
