"""The command `stanzavault`. What is heavy is imported where a command needs it, so that help is quick."""

from __future__ import annotations

import sys

import typer

from stanzavault.cli import backup, check, db, init, keys, run
from stanzavault.cli.terminal import tell_error
from stanzavault.kernel.errors import OperatorError

app = typer.Typer(
    name="stanzavault",
    help="A vault beside an XMPP server: public keys, messages for the absent, an encrypted archive.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("init")(init.init)
app.command("check")(check.check)
app.add_typer(db.commands, name="db")
app.add_typer(keys.commands, name="keys")
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("run")(run.run)


def main() -> None:
    """Run one command; what an operator has to mend is told in plain words, with exit status 2."""
    try:
        app()
    except OperatorError as error:
        tell_error(error)
        sys.exit(2)
