"""`stanzavault keys`: the master key."""

from __future__ import annotations

import typer

from stanzavault.cli.tasks import finish
from stanzavault.cli.terminal import (
    DEFAULT_CONFIG,
    ConfigFile,
    Yes,
    confirm_recovery_copy,
    progress,
    require_recovery_copy,
    say,
)
from stanzavault.config import Settings, load_settings
from stanzavault.kernel.errors import OperatorError

commands = typer.Typer(help="The master key.", no_args_is_help=True)


@commands.command("init")
def initialise(config: ConfigFile = DEFAULT_CONFIG, *, yes: Yes = False) -> None:
    """Make an empty database a vault under the master key, which is made, too, where its file is missing."""
    from stanzavault.upkeep import initialise_keys, master_keys  # noqa: PLC0415 - help loads nothing heavy

    settings = load_settings(config)
    made = _make_missing_key(settings)
    try:
        require_recovery_copy(master_keys(settings).current.text(), yes=yes)
        fingerprint = finish(initialise_keys(settings))
    except BaseException:
        if made and settings.sealing.master_key_file:
            settings.sealing.master_key_file.unlink(missing_ok=True)
        raise
    say(f"The database is a vault under master key {fingerprint}.")


@commands.command("rotate-master")
def rotate_master(config: ConfigFile = DEFAULT_CONFIG, *, yes: Yes = False) -> None:
    """Put a new master key in the place of the present one, while the vault runs or not.

    Records stay as they are. Interrupted, it goes on where it stopped when it is run again.
    """
    from stanzavault import upkeep  # noqa: PLC0415 - help loads nothing heavy

    settings = load_settings(config)

    async def rotate() -> str:
        await upkeep.begin_rotation(settings, lambda key: confirm_recovery_copy(key.text(), yes=yes))
        with progress("Rewrapping data keys") as tell:
            return await upkeep.rotate_master(settings, tell)

    say(f"Every data key is wrapped under master key {finish(rotate())}.")
    say("Backups made before need the old master key: keep its recovery copy for as long as you keep them.")


def _make_missing_key(settings: Settings) -> bool:
    from stanzavault.runtime.sealing import MasterKey  # noqa: PLC0415 - help loads nothing heavy
    from stanzavault.upkeep import write_master_keys  # noqa: PLC0415 - help loads nothing heavy

    file = settings.sealing.master_key_file
    if file is None or file.exists():
        return False
    try:
        write_master_keys(file, MasterKey.new())
    except OSError as error:
        raise OperatorError(
            f"{file} can't be written: {error.strerror}", "Run this as an account that may write there."
        ) from error
    return True
