"""An offline slice for each test, over a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.offline_desk import HOSTS, Deployment, Desk
from support.service import inside


@pytest.fixture
def deployment() -> Deployment:
    return Deployment()


@pytest.fixture
async def desk(tmp_path: Path, deployment: Deployment) -> AsyncIterator[Desk]:
    async with inside(tmp_path, hosts=HOSTS) as service:
        desk = Desk(service, deployment)
        yield desk
        await desk.login.close()
