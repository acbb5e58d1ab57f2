"""Which sessions of the accounts are there, and which of them gets what waits (XEP-0160, XEP-0013).

The vault knows of a session what it was told: presence, and requests of XEP-0013. It remembers that in
memory: after a restart, every session is unknown until it sends its presence again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from stanzavault.kernel.address import Address

MOST_SESSIONS = 32
"""Sessions of one account that are remembered; the one heard of longest ago goes first."""

ASKED_FOR = timedelta(hours=1)
"""How long a session that asked by XEP-0013 and sent no presence is taken to be there."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A session whose turn it is.

    Attributes:
        resource: its full address.
        after: it gets what stands after this position.
        is_fresh: whether it has sent its presence since it was last tried. Another may have ended untold.
    """

    resource: Address
    after: int
    is_fresh: bool


_NONE = range(0)


@dataclass(slots=True)
class _Session:
    priority: int | None = None
    heard: int = 0
    asked: datetime | None = None
    failed: bool = False
    fresh: bool = False

    @property
    def is_present(self) -> bool:
        return self.priority is not None and self.priority >= 0

    @property
    def rank(self) -> tuple[int, int]:
        return self.priority or 0, self.heard


@dataclass(slots=True)
class _Account:
    sessions: dict[Address, _Session] = field(default_factory=dict)
    in_session: range = _NONE

    @property
    def is_present(self) -> bool:
        return any(session.is_present for session in self.sessions.values())

    @property
    def able(self) -> list[Address]:
        return [it for it, session in self.sessions.items() if session.is_present and not session.failed]

    @property
    def first(self) -> Address:
        return max(self.able, key=lambda resource: self.sessions[resource].rank)


class Sessions:
    """The sessions of all accounts, as far as they were heard of."""

    def __init__(self) -> None:
        self._accounts: dict[Address, _Account] = {}
        self._heard = 0

    def __len__(self) -> int:
        """How many accounts have a session."""
        return len(self._accounts)

    def available(self, resource: Address, priority: int) -> None:
        """A session sent its presence: it may be tried again."""
        session = self._meet(resource)
        session.priority = priority
        session.failed = False
        session.fresh = True

    def unavailable(self, resource: Address) -> None:
        """A session has ended."""
        account = self._accounts.get(resource.bare)
        if account is None:
            return
        account.sessions.pop(resource, None)
        if not account.is_present:
            account.in_session = _NONE
        if not account.sessions:
            del self._accounts[resource.bare]

    def asked(self, resource: Address, now: datetime) -> None:
        """A session asked by XEP-0013: before its presence, that spares it the flood (section 2.2)."""
        session = self._meet(resource)
        if session.priority is None:
            session.asked = now

    def left(self, account: Address, position: int) -> None:
        """A message took this position: while a session is there, that is a message of the session."""
        known = self._accounts.get(account)
        if known is None or not known.is_present:
            return
        begun = known.in_session
        known.in_session = (
            range(min(begun.start, position), max(begun.stop, position + 1))
            if begun
            else range(position, position + 1)
        )

    def tried(self, resource: Address) -> None:
        """A session is being sent something."""
        session = self._known(resource)
        if session is not None:
            session.fresh = False

    def failed(self, resource: Address) -> None:
        """A session did not answer for what it got: unless it sent its presence meanwhile, it waits."""
        session = self._known(resource)
        if session is not None and not session.fresh:
            session.failed = True

    def gone(self, resource: Address) -> None:
        """A session did not answer: unless it sent its presence meanwhile, it has ended untold."""
        session = self._known(resource)
        if session is not None and not session.fresh:
            self.unavailable(resource)

    def delivered(self, account: Address, through: int) -> None:
        """All up to a position was delivered."""
        known = self._accounts.get(account)
        if known is not None:
            known.in_session = range(max(known.in_session.start, through + 1), known.in_session.stop)

    def in_the_way(self, account: Address, now: datetime) -> list[Address]:
        """Sessions that asked by XEP-0013, and so keep another from what waits.

        Nobody may have told the end of such a session, so it has to be asked whether it is still there.
        """
        known = self._accounts.get(account)
        if known is None:
            return []
        for resource, session in list(known.sessions.items()):
            if session.priority is None and (session.asked is None or session.asked + ASKED_FOR <= now):
                self.unavailable(resource)
        if not known.able:
            return []
        first = known.first
        return [it for it, session in known.sessions.items() if session.asked is not None and it != first]

    def turn(self, account: Address) -> Turn | None:
        """Whose turn it is: of the highest priority, heard of last; None where nobody may receive.

        Where a session reads by XEP-0013, the messages of the session alone are delivered, to any.
        """
        known = self._accounts.get(account)
        if known is None or not known.able:
            return None
        resource = known.first
        fresh = known.sessions[resource].fresh
        if all(session.asked is None for session in known.sessions.values()):
            return Turn(resource, 0, fresh)
        return Turn(resource, known.in_session.start - 1, fresh) if known.in_session else None

    def _known(self, resource: Address) -> _Session | None:
        account = self._accounts.get(resource.bare)
        return account.sessions.get(resource) if account else None

    def _meet(self, resource: Address) -> _Session:
        account = self._accounts.setdefault(resource.bare, _Account())
        session = account.sessions.setdefault(resource, _Session())
        self._heard += 1
        session.heard = self._heard
        if len(account.sessions) > MOST_SESSIONS:
            del account.sessions[min(account.sessions, key=lambda known: account.sessions[known].heard)]
        return session
