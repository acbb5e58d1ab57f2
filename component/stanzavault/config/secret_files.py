"""Secrets that lie in files of their own, and the master key wherever it lies."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

from stanzavault.config.settings import Sealing
from stanzavault.kernel.errors import OperatorError

_LARGEST = 64 << 10  # bytes; whatever is larger was named by mistake
_COMMAND_SECONDS = 60


def read_secret_file(path: Path) -> str:
    """Read a file that holds one secret, without the line break that ends it.

    Raises:
        OperatorError: it can't be read, others than its owner and group can, or it holds no one line of text.
    """
    text = _read_closed_file(path).removesuffix("\n").removesuffix("\r")
    if not text or "\n" in text:
        raise OperatorError(f"{path} does not hold one line of text", "Write the secret into it as one line.")
    return text


def read_master_key(sealing: Sealing) -> str:
    """Read the text of the master key from the file, the variable or the command that the settings name.

    Raises:
        OperatorError: it is not there, or a file is open to others, or the command failed.
    """
    if sealing.master_key_file is not None:
        return _read_closed_file(sealing.master_key_file)
    if sealing.master_key_command is not None:
        return _output_of(sealing.master_key_command)
    variable = sealing.master_key_env or ""
    if variable not in os.environ:
        raise OperatorError(
            f"The environment variable {variable} is not set, and sealing.master_key_env names it.",
            f"Set {variable} to the master key before stanzavault starts.",
        )
    return os.environ[variable]


def refuse_open_to_others(path: Path, mode: int) -> None:
    """Refuse a file with a secret in it that any account of this machine may read or change.

    Raises:
        OperatorError: its mode lets others in; the help is the command that mends it.
    """
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise OperatorError(
            f"{path} holds a secret and is open to others (mode {stat.S_IMODE(mode):04o})",
            f"chmod g-w,o-rwx {path}",
        )


def _read_closed_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            refuse_open_to_others(path, os.fstat(file.fileno()).st_mode)
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise OperatorError(
            f"{path} can't be read: {error.strerror}", f"Create it, or let this account read it: ls -l {path}"
        ) from error
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\x00"
    if "\x00" in text or len(content) > _LARGEST:
        raise OperatorError(f"{path} does not hold a line of text", "Write the secret into it as one line.")
    return text


def _output_of(command: tuple[str, ...]) -> str:
    help_ = "Run it by hand, as the account that stanzavault runs as, and see that it prints the master key."
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, and no shell
            command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS
        )
        return done.stdout.decode()
    except subprocess.CalledProcessError as error:
        raise OperatorError(f"{command[0]} ended with status {error.returncode}", help_) from None
    except subprocess.TimeoutExpired:
        raise OperatorError(f"{command[0]} took longer than {_COMMAND_SECONDS} seconds", help_) from None
    except UnicodeDecodeError:
        raise OperatorError(f"{command[0]} printed something that is not text", help_) from None
    except OSError as error:
        raise OperatorError(f"{command[0]} can't be started: {error.strerror}", help_) from None
