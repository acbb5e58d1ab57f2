"""An archive for each test, over a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

import pytest
import pytest_asyncio

from stanzavault.kernel.limits import Limits
from support.archive_desk import HOSTS, ArchiveDesk
from support.service import Inside, inside

_ACCOUNTS = count()


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """One database for the tests of a module, each of which takes an account of its own."""
    async with inside(tmp_path_factory.mktemp("shared"), hosts=HOSTS) as service:
        yield service


@pytest.fixture
def account() -> str:
    """An address that no other test has."""
    return f"romeo{next(_ACCOUNTS)}@montague.net/orchard"


@pytest.fixture
def desk(shared_service: Inside, account: str, limits: Limits) -> ArchiveDesk:
    return ArchiveDesk(shared_service, limits=limits, client=account)
