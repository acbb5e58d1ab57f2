"""`stanzavault init`: settings with comments, the component's secret and the master key."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from stanzavault.cli.terminal import DEFAULT_FOLDER, FILE_NAME, Yes, require_recovery_copy, say
from stanzavault.config.reference import example_yaml
from stanzavault.config.values import Domain, Url
from stanzavault.kernel.errors import OperatorError

_SECRET_BYTES = 32


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write.")] = DEFAULT_FOLDER,
    *,
    host: Annotated[str, typer.Option(help="The XMPP host whose accounts the vault serves.")] = "",
    jid: Annotated[str, typer.Option(help="The vault's own address; vault.HOST if not given.")] = "",
    database: Annotated[str, typer.Option(metavar="URL", help="Where records are kept.")] = "",
    yes: Yes = False,
) -> None:
    """Write a commented YAML file, the component's secret and the master key. Nothing is overwritten."""
    from stanzavault.runtime.sealing import MasterKey  # noqa: PLC0415 - help loads nothing heavy
    from stanzavault.upkeep import write_master_keys  # noqa: PLC0415 - help loads nothing heavy

    files = _Files(folder.absolute())
    files.refuse_existing()
    host = host or _asked("The XMPP host whose accounts the vault serves", "--host", yes=yes)
    jid = jid or (
        f"vault.{host}" if yes else typer.prompt("The vault's own address", default=f"vault.{host}")
    )
    for option, value, type_ in (
        ("--host", host, Domain),
        ("--jid", jid, Domain),
        ("--database", database, Url),
    ):
        if value:
            _check(option, value, type_)
    key = MasterKey.new()
    require_recovery_copy(key.text(), yes=yes)
    files.write(host, jid, database)
    write_master_keys(files.master_key, key)
    say(f"Written: {files.settings}, {files.secret} (the server needs it, too) and {files.master_key}.")
    say("Next, as the account that the vault runs as, with --config if the file lies elsewhere than there:")
    for command in ("check", "db upgrade", "keys init", "run"):
        say(f"    stanzavault {command}")


class _Files:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / FILE_NAME
        self.secret = folder / "component.secret"
        self.master_key = folder / "master.key"

    def refuse_existing(self) -> None:
        for file in (self.settings, self.secret, self.master_key):
            if file.exists():
                raise OperatorError(
                    f"{file} exists already: nothing was written.", "Name another folder, or move it away."
                )

    def write(self, host: str, jid: str, database: str) -> None:
        values = {
            "component.jid": json.dumps(jid, ensure_ascii=False),
            "component.secret_file": json.dumps(str(self.secret)),
            "server.hosts": f"[{json.dumps(host, ensure_ascii=False)}]",
            "sealing.master_key_file": json.dumps(str(self.master_key)),
        }
        if database:
            values["database.url"] = json.dumps(database)
        try:
            self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            _write_closed(self.settings, example_yaml(values))
            _write_closed(self.secret, secrets.token_urlsafe(_SECRET_BYTES) + "\n")
        except OSError as error:
            raise OperatorError(
                f"{error.filename} can't be written: {error.strerror}",
                "Name another folder, or run this as an account that may write there.",
            ) from error


def _write_closed(file: Path, text: str) -> None:
    """Write a new file that only its owner reads."""
    with os.fdopen(
        os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as opened:
        opened.write(text)


def _asked(question: str, option: str, *, yes: bool) -> str:
    if yes:
        raise OperatorError(f"{option} is not given, and --yes asks nothing.", f"Add {option}.")
    answer: str = typer.prompt(question)
    return answer


def _check(option: str, value: str, type_: Any) -> None:
    try:
        TypeAdapter(type_).validate_python(value)
    except ValidationError as error:
        cause = error.errors()[0].get("ctx", {}).get("error")
        raise OperatorError(
            f"{option} is not right: {cause}", "Nothing was written; run it again."
        ) from error
