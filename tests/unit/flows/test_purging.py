"""The task that removes what has expired goes on, whatever one round meets."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stanzavault import app
from stanzavault.kernel.errors import NotOpened, ResourceConstraint


async def test_a_round_that_fails_ends_neither_the_task_nor_the_vault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures = [ResourceConstraint("no database"), NotOpened("a key"), RuntimeError("a fault of ours")]
    done = asyncio.Event()

    async def remove(_database: object, _component: object) -> int:
        if failures:
            raise failures.pop(0)
        done.set()
        return 0

    monkeypatch.setattr(app, "remove_expired_messages", remove)
    monkeypatch.setattr(app, "_SECONDS_BETWEEN_PURGES", 0)
    vault = cast("Any", SimpleNamespace(_database=None, _component=None))
    purging = asyncio.create_task(app._Vault._purge(vault))
    await asyncio.wait([purging, asyncio.create_task(done.wait())], return_when=asyncio.FIRST_COMPLETED)
    assert done.is_set()
    purging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await purging
