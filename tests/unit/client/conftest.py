"""Keys that take long to make are made once."""

from datetime import UTC, datetime, timedelta

import pytest

from esession.crypto import SigningKey
from stanzavault.kernel.address import Address
from stanzavault_client.keys.making import make_key
from stanzavault_client.storage import OwnKey

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ROMEO = Address.parse("romeo@montague.example")
JULIET = Address.parse("juliet@capulet.example")

_PRIVATE = {name: SigningKey.generate(2048) for name in ("phone", "laptop", "juliet")}


def key_of(
    name: str,
    owner: Address = ROMEO,
    begin: datetime = NOW - timedelta(days=1),
    end: datetime = NOW + timedelta(days=365),
) -> OwnKey:
    return make_key(_PRIVATE[name], owner, begin, end)


@pytest.fixture
def phone() -> OwnKey:
    """A key of Romeo's."""
    return key_of("phone")


@pytest.fixture
def laptop() -> OwnKey:
    """Another key of Romeo's."""
    return key_of("laptop")
