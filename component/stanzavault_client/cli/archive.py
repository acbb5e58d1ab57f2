"""`stanzavault-client archive`: list, show, export and remove conversations."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stanzavault_client.cli.account import Account, run
from stanzavault_client.cli.terminal import progress, say
from stanzavault_client.errors import ClientError

if TYPE_CHECKING:
    from stanzavault_client.archive import CollectionName, Entry, Summary
    from stanzavault_client.storage import SQLiteStore

_INDENT = "\n" + " " * 22  # so that no line of a message looks like another message

commands = typer.Typer(help="Your archived conversations.", no_args_is_help=True)

With = Annotated[
    str, typer.Argument(metavar="[WITH]", help="An address, and all that it stands for; all if not given.")
]
Since = Annotated[str, typer.Option(metavar="TIME", help="The earliest beginning, such as 2026-02-14.")]
Until = Annotated[str, typer.Option(metavar="TIME", help="Only what began before.")]
One = Annotated[str, typer.Argument(metavar="WITH", help="The conversation's address, as listed.")]
Start = Annotated[str, typer.Argument(metavar="START", help="When it began, as listed.")]


@commands.command("list")
def list_(context: typer.Context, with_: With = "", *, since: Since = "", until: Until = "") -> None:
    """List conversations in the order in which they began."""

    async def work(account: Account, store: SQLiteStore) -> None:
        async with account.connected(store) as connection:
            archive = connection.plugins.archive
            count = 0
            async for summary in archive.collections(with_ or None, start=_time(since), end=_time(until)):
                say(_line(summary))
                count += 1
        say(f"{count} conversations." if count != 1 else "One conversation.")

    run(context, work)


@commands.command()
def show(context: typer.Context, with_: One, start: Start) -> None:
    """Show a conversation; what was sealed to your keys is opened."""

    async def work(account: Account, store: SQLiteStore) -> None:
        async with account.connected(store) as connection:
            async for entry in connection.plugins.archive.retrieve(_name(with_, start)):
                say(_told(entry))

    run(context, work)


@commands.command()
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new file: one JSON object a line, decrypted.")],
    with_: With = "",
    *,
    since: Since = "",
    until: Until = "",
) -> None:
    """Write conversations into a file that only you may read. What is sealed is in clear there."""

    async def work(account: Account, store: SQLiteStore) -> None:
        async with account.connected(store) as connection:
            archive = connection.plugins.archive
            wanted = archive.collections(with_ or None, start=_time(since), end=_time(until))
            found = []
            with progress("Listing") as counter:
                async for summary in wanted:
                    found.append(summary)
                    counter.advance()
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            unopened = 0
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened, progress("Exporting") as counter:
                counter.expect(len(found))
                for summary in found:
                    async for entry in archive.retrieve(summary.name):
                        record = _record(summary, entry)
                        unopened += "unopened" in record
                        opened.write(json.dumps(record, ensure_ascii=False) + "\n")
                    counter.advance()
        say(f"{len(found)} conversations are in {file}, in clear.")
        if unopened:
            say(f"{unopened} pieces could not be opened with the keys on this device.")

    run(context, work)


@commands.command()
def remove(
    context: typer.Context,
    with_: One,
    start: Annotated[str, typer.Argument(metavar="[START]", help="When it began; all if not given.")] = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, for automation.")] = False,
) -> None:
    """Remove a conversation, or all with an address."""

    async def work(account: Account, store: SQLiteStore) -> None:
        async with account.connected(store) as connection:
            archive = connection.plugins.archive
            what = (
                f"the conversation with {with_} of {start}" if start else f"every conversation with {with_}"
            )
            if not yes:
                typer.confirm(f"Remove {what} for good?", abort=True, err=True)
            if start:
                await archive.remove(_name(with_, start))
            else:
                with progress("Removing"):
                    await archive.remove_all(with_)
        say(f"Removed: {what}.")

    run(context, work)


def _name(with_: str, start: str) -> CollectionName:
    from stanzavault.archive.model import CollectionName  # noqa: PLC0415 - help loads nothing heavy
    from stanzavault.kernel.address import Address  # noqa: PLC0415 - as above
    from stanzavault.wire.xep_0082 import fraction_digits, parse  # noqa: PLC0415 - as above

    return CollectionName(Address.parse(with_), parse(start, "START"), fraction_digits(start))


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ClientError(f"{text} is no time: write 2026-02-14, or 2026-02-14T21:00:00Z.") from None
    return found if found.tzinfo else found.astimezone()


def _line(summary: Summary) -> str:
    from stanzavault.wire.xep_0082 import render  # noqa: PLC0415 - help loads nothing heavy

    start = render(summary.name.start, summary.name.digits)
    marks = [*(["sealed"] if summary.encrypted else []), *([summary.subject] if summary.subject else [])]
    return f"{start}  {summary.name.with_}" + "".join(f"  {mark}" for mark in marks)


def _told(entry: Entry) -> str:
    from stanzavault_client.archive import ArchivedMessage, Note  # noqa: PLC0415 - help loads nothing heavy

    match entry:
        case ArchivedMessage():
            arrow = "<" if entry.incoming else ">"
            words = [arrow, entry.name or entry.sender, entry.body.replace("\n", _INDENT)]
            return f"{entry.at:%Y-%m-%d %H:%M:%S} {' '.join(filter(None, words))}"
        case Note():
            return "note: " + entry.text.replace("\n", _INDENT)
        case _:
            return f"(a sealed piece that can't be opened: {entry.reason})"


def _record(summary: Summary, entry: Entry) -> dict[str, Any]:
    from xml.etree.ElementTree import tostring  # noqa: PLC0415 - help loads nothing heavy

    from stanzavault_client.archive import ArchivedMessage, Note  # noqa: PLC0415 - as above

    record: dict[str, Any] = {"with": str(summary.name.with_), "start": summary.name.start.isoformat()}
    match entry:
        case ArchivedMessage():
            record |= {"at": entry.at.isoformat(), "incoming": entry.incoming, "body": entry.body}
            record |= {key: value for key, value in (("name", entry.name), ("sender", entry.sender)) if value}
            if entry.extras:
                record["extras"] = [tostring(extra, "unicode") for extra in entry.extras]
        case Note():
            record |= {"note": entry.text, "at": entry.at.isoformat() if entry.at else None}
        case _:
            record |= {"unopened": entry.reason}
    return record
