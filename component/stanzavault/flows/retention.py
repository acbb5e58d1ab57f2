"""What has waited long enough is removed, of all accounts, a little at a time."""

from __future__ import annotations

from stanzavault.kernel.address import Address
from stanzavault.offline import store
from stanzavault.storage.unit import Database, Unit

_AT_ONCE = 200


async def remove_expired_messages(database: Database, component: Address) -> int:
    """Remove every message for the absent whose time is over, and count them.

    To be run periodically. Each unit removes few, so that nobody waits for it long.

    Args:
        database: where the messages wait.
        component: the vault's address: the units concern no account of their own.
    """

    async def work(unit: Unit) -> int:
        return await store.remove_expired(unit.connection, unit.now, _AT_ONCE)

    total = 0
    while removed := await database.write(component, work, saves=False):
        total += removed
    return total
