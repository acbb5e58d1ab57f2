from __future__ import annotations

import pytest

from support.desk import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()
