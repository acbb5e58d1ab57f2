"""`stanzavault check`: whether settings are sound, and what they amount to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stanzavault.cli.terminal import DEFAULT_CONFIG, say
from stanzavault.config import load_settings
from stanzavault.config.settings import each_setting
from stanzavault.config.written import show

_UNBROKEN = 1000  # columns, for whoever reads it with another program


def check(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="[FILE]", envvar="STANZAVAULT_CONFIG", help="The YAML file with the settings."
        ),
    ] = DEFAULT_CONFIG,
) -> None:
    """Tell every error in a file, or every value with the place that it comes from. Secrets are not shown."""
    settings = load_settings(file)
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for key, field in each_setting():
        name = ".".join(key)
        value = show(field, settings.value_of(key)) or "not set"
        source = str(settings.source_of(name)).replace(str(file), file.name)
        table.add_row(name, *(Text(cell, overflow="fold") for cell in (value, source)))
    console = Console()
    if not console.is_terminal:
        console.width = _UNBROKEN
    console.print(table)
    say(f"{file} is sound.")
