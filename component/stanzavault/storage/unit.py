"""The unit of work as stores and flows see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from stanzavault.kernel.address import Address
from stanzavault.kernel.ports import Owner

Result = TypeVar("Result")
Effect = Callable[[], Awaitable[None]]


class Unit(Protocol):
    """One transaction: all of it is committed, or nothing."""

    @property
    def connection(self) -> AsyncConnection:
        """The connection that the transaction runs on."""
        ...

    @property
    def now(self) -> datetime:
        """The instant of the unit, one for everything in it."""
        ...

    async def find_owner(self, address: Address) -> Owner | None:
        """The owner with this bare address, None where the account has no record yet."""
        ...

    async def owner(self, address: Address) -> Owner:
        """The owner with this bare address, made where the account has no record yet.

        Only in a unit that writes. Only accounts of configured hosts become owners.

        Raises:
            Forbidden: the address is not of a configured host.
        """
        ...

    def after_commit(self, effect: Effect) -> None:
        """Run `effect` once the unit is committed; it is dropped if the unit fails."""
        ...


Work = Callable[[Unit], Awaitable[Result]]
"""What a unit does. It may be run again from the beginning, so it changes nothing but the database."""


class Database(Protocol):
    """Runs units of work."""

    async def read(self, account: Address, work: Work[Result]) -> Result:
        """Run `work` on a consistent snapshot, after all that was written before for `account`.

        Raises:
            ResourceConstraint: the database cannot be reached.
        """
        ...

    async def write(self, account: Address, work: Work[Result], *, saves: bool = True) -> Result:
        """Run `work` and commit it; return once it is durable.

        Units are committed in groups; one that raises is undone alone. Units of one account run in the order
        in which they were asked for.

        Args:
            account: the bare address that the unit is about.
            work: what to do.
            saves: whether the unit adds data, so that it is refused where the disk is nearly full; False for
                removals and for bookkeeping.

        Raises:
            ResourceConstraint: the database cannot be reached, or the disk is nearly full.
        """
        ...
