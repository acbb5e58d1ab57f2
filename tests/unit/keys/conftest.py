"""The slice for each test, over a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stanzavault.kernel.limits import Limits
from stanzavault.keys.model.node import Policy
from support.key_desk import KeyDesk
from support.service import inside


@pytest.fixture
def policy() -> Policy:
    return Policy()


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
async def desk(tmp_path: Path, policy: Policy, limits: Limits) -> AsyncIterator[KeyDesk]:
    async with inside(tmp_path) as service:
        desk = KeyDesk(service, policy, limits)
        desk.keys.start()
        yield desk
        await desk.keys.close()
