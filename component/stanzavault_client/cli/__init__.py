"""The command `stanzavault-client`. Heavy modules are imported where a command needs them: help is quick."""

from __future__ import annotations

import logging
import sys

import typer

from stanzavault_client.cli import archive, chat, keys
from stanzavault_client.cli.account import choose_account
from stanzavault_client.cli.terminal import explain, tell_error

app = typer.Typer(
    name="stanzavault-client",
    help="Your keys and your archive in a vault beside your XMPP server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.callback()(choose_account)
app.add_typer(keys.commands, name="keys")
app.add_typer(archive.commands, name="archive")
app.command()(chat.chat)


def main() -> None:
    """Run one command; what a user can mend is told in plain words, with exit status 2."""
    # What slixmpp logs is for developers, and at worst quotes what was received.
    logging.getLogger("slixmpp").addHandler(logging.NullHandler())
    logging.getLogger("slixmpp").propagate = False
    try:
        app()
    except Exception as error:
        text = explain(error)
        if text is None:
            raise
        tell_error(text)
        sys.exit(2)
