"""An archive for each test, over a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stanzavault.kernel.limits import Limits
from support.archive_desk import HOSTS, ArchiveDesk
from support.service import Inside, inside


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Inside]:
    async with inside(tmp_path, hosts=HOSTS) as service:
        yield service


@pytest.fixture
def desk(service: Inside, limits: Limits) -> ArchiveDesk:
    return ArchiveDesk(service, limits=limits)
