"""An account of which the server has told becomes an owner, so that messages can be left for it."""

from __future__ import annotations

from stanzavault.kernel.address import Address
from stanzavault.storage.unit import Database, Unit


async def introduce(database: Database, account: Address) -> None:
    """Make an account that acts for itself an owner, where it is none yet.

    Only the server knows which accounts there are, and tells nobody. One that acts is known to be there; one
    that was merely addressed is not, and anybody could have the vault make owners of any names.

    Args:
        database: where owners are kept.
        account: the bare address of a principal of a configured host.

    Raises:
        ResourceConstraint: the database can't take it.
    """

    async def is_known(unit: Unit) -> bool:
        return await unit.find_owner(account) is not None

    async def make(unit: Unit) -> None:
        await unit.owner(account)

    if not await database.read(account, is_known):
        await database.write(account, make)
