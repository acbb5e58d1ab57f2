"""`stanzavault db`: the schema of the database."""

from __future__ import annotations

from typing import Annotated

import typer

from stanzavault.cli.tasks import finish
from stanzavault.cli.terminal import DEFAULT_CONFIG, ConfigFile, Yes, say
from stanzavault.config import load_settings
from stanzavault.kernel.errors import OperatorError

commands = typer.Typer(help="The schema of the database.", no_args_is_help=True)


@commands.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="Where to stop; the newest if not given.")] = "head",
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Bring the schema to the newest revision, or to the one given."""
    from stanzavault.upkeep import upgrade_database  # noqa: PLC0415 - help loads nothing heavy

    say(f"The database is at revision {finish(upgrade_database(load_settings(config), revision)) or 'none'}.")


@commands.command()
def current(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Tell the revision that the database has, and the one that this program knows."""
    from stanzavault.upkeep import database_revision  # noqa: PLC0415 - help loads nothing heavy

    found, known = finish(database_revision(load_settings(config)))
    say(f"The database is at revision {found or 'none'}; this program knows {known}.")
    if found != known:
        say("To bring it there, run: stanzavault db upgrade")


@commands.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help='Where to go back to; "base" empties the database.')],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    yes: Yes = False,
) -> None:
    """Take the schema back to a revision. What newer revisions added is lost with all that is in it."""
    from stanzavault.upkeep import upgrade_database  # noqa: PLC0415 - help loads nothing heavy

    settings = load_settings(config)
    if not yes and not typer.confirm("What newer revisions added will be lost. Is there a backup?"):
        raise OperatorError("Nothing was changed.", "Make a backup with: stanzavault backup FILE")
    say(f"The database is at revision {finish(upgrade_database(settings, revision)) or 'none'}.")
