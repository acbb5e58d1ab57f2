"""Runs the coroutine of a command; a database that can't be used is told in plain words."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from stanzavault.kernel.errors import OperatorError

Result = TypeVar("Result")


def finish(task: Coroutine[Any, Any, Result]) -> Result:
    """Run a task of upkeep to its end.

    Raises:
        OperatorError: it was refused, or the database can't be used.
    """
    from asyncpg import InterfaceError, PostgresError  # type: ignore[import-untyped]  # noqa: PLC0415 - as next
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - help loads nothing heavy

    try:
        return asyncio.run(task)
    except DBAPIError as error:
        raise _unusable(error.orig or error) from error
    except (PostgresError, InterfaceError, OSError) as error:
        raise _unusable(error) from error


def _unusable(error: BaseException) -> OperatorError:
    lines = str(error).splitlines()
    return OperatorError(
        f"The database can't be used: {lines[0] if lines else type(error).__name__}",
        "Look at database.url in the settings, and whether the database runs and lets this account in.",
    )
