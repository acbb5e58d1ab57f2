"""Which session gets what waits: whatever happens, nobody who is away or spared is flooded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stanzavault.kernel.address import Address
from stanzavault.offline.rules.sessions import MOST_SESSIONS, Sessions, Turn

JULIET = Address.parse("juliet@example.org")
RESOURCES = [Address.parse(f"juliet@example.org/{name}") for name in ("balcony", "garden", "chamber")]
NOW = datetime(2026, 3, 1, tzinfo=UTC)

_resources = st.sampled_from(RESOURCES)


class SessionsAgreeWithAPlainModel(RuleBasedStateMachine):
    """The same events, told in sets: who is able, who is failed, who asked, what came meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions = Sessions()
        self.priority: dict[Address, int] = {}
        self.failed: set[Address] = set()
        self.askers: set[Address] = set()
        self.meanwhile: set[int] = set()
        self.fresh: set[Address] = set()
        self.position = 0

    @property
    def present(self) -> set[Address]:
        return {it for it, priority in self.priority.items() if priority >= 0}

    @property
    def able(self) -> set[Address]:
        return self.present - self.failed

    @rule(resource=_resources, priority=st.integers(-2, 2))
    def available(self, resource: Address, priority: int) -> None:
        self.sessions.available(resource, priority)
        self.priority[resource] = priority
        self.fresh.add(resource)
        self.failed.discard(resource)

    @rule(resource=_resources)
    def unavailable(self, resource: Address) -> None:
        self.sessions.unavailable(resource)
        self.priority.pop(resource, None)
        self.failed.discard(resource)
        self.askers.discard(resource)
        self.fresh.discard(resource)
        if not self.present:
            self.meanwhile.clear()

    @rule(resource=_resources)
    def gone(self, resource: Address) -> None:
        fresh = resource in self.fresh
        self.sessions.gone(resource)
        if not fresh:
            self.unavailable(resource)

    @rule(resource=_resources)
    def asked(self, resource: Address) -> None:
        self.sessions.asked(resource, NOW)
        if resource not in self.priority:
            self.askers.add(resource)

    @rule(resource=_resources)
    def fail(self, resource: Address) -> None:
        self.sessions.failed(resource)
        if resource in self.priority and resource not in self.fresh:
            self.failed.add(resource)

    @rule(resource=_resources)
    def tried(self, resource: Address) -> None:
        self.sessions.tried(resource)
        self.fresh.discard(resource)

    @rule()
    def left(self) -> None:
        self.position += 1
        self.sessions.left(JULIET, self.position)
        if self.present:
            self.meanwhile.add(self.position)

    @rule(behind=st.integers(0, 3))
    def delivered(self, behind: int) -> None:
        through = self.position - behind
        self.sessions.delivered(JULIET, through)
        self.meanwhile = {it for it in self.meanwhile if it > through}

    @invariant()
    def turn_is_right(self) -> None:
        turn = self.sessions.turn(JULIET)
        if not self.able or (self.askers and not self.meanwhile):
            assert turn is None
            return
        assert turn is not None
        assert turn.resource in self.able
        assert turn.is_fresh == (turn.resource in self.fresh)
        assert self.priority[turn.resource] == max(self.priority[it] for it in self.able)
        if not self.askers:
            assert turn.after == 0
        else:  # nothing that came in the session is passed over, and nothing older is sent along
            assert turn.after < min(self.meanwhile)
            assert turn.after >= 0

    @invariant()
    def nothing_is_kept_of_an_account_without_sessions(self) -> None:
        assert len(self.sessions) == (1 if self.priority or self.askers else 0)


TestSessions = SessionsAgreeWithAPlainModel.TestCase
TestSessions.settings = settings(deadline=None)


def test_the_session_heard_of_last_comes_first_among_equals() -> None:
    sessions = Sessions()
    for resource in RESOURCES:
        sessions.available(resource, 1)
    sessions.available(RESOURCES[0], 1)
    assert sessions.turn(JULIET) == Turn(RESOURCES[0], 0, is_fresh=True)


def test_an_account_does_not_fill_the_memory() -> None:
    sessions = Sessions()
    for number in range(MOST_SESSIONS * 2):
        sessions.available(Address.parse(f"juliet@example.org/{number}"), 0)
    for number in range(MOST_SESSIONS):
        sessions.unavailable(Address.parse(f"juliet@example.org/{MOST_SESSIONS + number}"))
    assert len(sessions) == 0


def test_who_asked_and_was_never_seen_is_in_the_way_of_others_for_an_hour() -> None:
    sessions = Sessions()
    sessions.asked(RESOURCES[0], NOW)
    assert sessions.in_the_way(JULIET, NOW) == []
    sessions.available(RESOURCES[1], 0)
    assert sessions.in_the_way(JULIET, NOW + timedelta(minutes=59)) == [RESOURCES[0]]
    assert sessions.in_the_way(JULIET, NOW + timedelta(hours=1)) == []
    assert sessions.turn(JULIET) == Turn(RESOURCES[1], 0, is_fresh=True)


def test_who_asked_and_is_there_is_in_the_way_of_others_alone() -> None:
    sessions = Sessions()
    sessions.asked(RESOURCES[0], NOW)
    sessions.available(RESOURCES[0], 0)
    assert sessions.in_the_way(JULIET, NOW) == []
    sessions.available(RESOURCES[1], 0)
    assert sessions.in_the_way(JULIET, NOW) == [RESOURCES[0]]
