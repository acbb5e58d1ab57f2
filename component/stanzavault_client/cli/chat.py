"""`stanzavault-client chat`: talk with one peer over an encrypted session."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from stanzavault_client.cli.account import Account, run
from stanzavault_client.cli.terminal import say
from stanzavault_client.errors import ClientError

if TYPE_CHECKING:
    from stanzavault_client.storage import SQLiteStore


def chat(
    context: typer.Context,
    jid: Annotated[str, typer.Argument(help="With whom; with a resource, or whichever answers.")],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait to be asked, instead of asking.")] = False,
) -> None:
    """Chat over an encrypted session (XEP-0116): Deferred, no audit; OMEMO protects people today."""

    async def work(account: Account, store: SQLiteStore) -> None:
        from esession import ESessionError  # noqa: PLC0415 - help loads nothing heavy
        from stanzavault_client.cli.conversation import Conversation  # noqa: PLC0415 - as above
        from stanzavault_client.cli.lines import typed_lines  # noqa: PLC0415 - as above

        async with account.connected(store) as connection:
            connection.client.send_presence()
            conversation = Conversation(connection.client, connection.plugins.esession, typed_lines(), say)
            try:
                await conversation.hold(jid, wait=wait)
            except ESessionError as error:
                raise ClientError(f"No session: {error}.") from error

    with suppress(KeyboardInterrupt):  # Ctrl-C is a way to leave: the session has been ended in order
        run(context, work)
