"""Stanzas that a server delivers out of order after a stream was resumed (XEP-0198).

A server sends again what was not acknowledged, and what comes meanwhile may overtake it, as it does on
ejabberd. What is not the next stanza yet is held back for a moment; then it is taken for what it seems to be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from xml.etree import ElementTree as ET

from esession import Session
from esession.wire.xep_0200 import C

WINDOW: Final = 30.0
"""Seconds after a resumption within which the order may be disturbed."""
PATIENCE: Final = 3.0
"""Seconds for which a stanza waits for those before it."""


class Disorder:
    """Puts the stanzas of one session into their order.

    Args:
        session: the library's, which knows what comes next.
        take: takes a stanza in its turn.
    """

    def __init__(self, session: Session, take: Callable[[ET.Element], None]) -> None:
        self._session = session
        self._take = take
        self._until = 0.0
        self._held: list[ET.Element] = []
        self._timer: asyncio.TimerHandle | None = None

    def expect(self) -> None:
        """From now on the order may be disturbed for a while."""
        self._until = asyncio.get_running_loop().time() + WINDOW

    def receive(self, stanza: ET.Element) -> None:
        """Take a stanza, or hold it back; take what it had been held back for."""
        loop = asyncio.get_running_loop()
        expected = loop.time() < self._until and stanza.find(C) is not None
        if expected and not self._session.authenticates(stanza):
            self._held.append(stanza)
            self._timer = self._timer or loop.call_later(PATIENCE, self.give_up)
            return
        self._take(stanza)
        while (due := next(filter(self._session.authenticates, self._held), None)) is not None:
            self._held.remove(due)
            self._take(due)
        if not self._held:
            self._stop()

    def give_up(self) -> None:
        """Take what is held back as it is."""
        held, self._held = self._held, []
        self._stop()
        for stanza in held:
            self._take(stanza)

    def forget(self) -> None:
        """Drop what is held back: the session is over."""
        self._held.clear()
        self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
