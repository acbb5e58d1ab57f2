"""Requests within a session, and the answers that find them (IQ)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.stanza import Iq

Answer = Iq | Exception


class Requests:
    """The requests of one session that have not been answered yet."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[Answer]] = {}

    async def ask(self, iq: Iq, send: Callable[[ET.Element], object], within: float) -> Iq:
        """Send a request, and wait for its result.

        Args:
            iq: of type get or set, with an id.
            send: sends it.
            within: seconds.

        Raises:
            IqError: it was refused.
            IqTimeout: nobody answered in time.
            Exception: what `fail` was given meanwhile.
        """
        if iq["type"] not in {"get", "set"}:
            raise ValueError("a request is an IQ of type get or set")
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[iq["id"]] = waiting
        try:
            send(iq.xml)
            answer = await asyncio.wait_for(waiting, within)
        except TimeoutError:
            raise IqTimeout(iq) from None  # type: ignore[no-untyped-call]  # slixmpp's
        finally:
            del self._waiting[iq["id"]]
        if isinstance(answer, Iq):
            return answer
        raise answer

    def take(self, stanza: Any) -> bool:
        """Give a stanza to who waits for it; whether anybody does."""
        if not isinstance(stanza, Iq) or stanza["type"] not in {"result", "error"}:
            return False
        waiting = self._waiting.get(stanza["id"])
        if waiting is None:
            return False
        failed = stanza["type"] == "error"
        _give(waiting, IqError(stanza) if failed else stanza)  # type: ignore[no-untyped-call]  # slixmpp's
        return True

    def fail(self, error: Exception) -> None:
        """Let every request fail."""
        for waiting in self._waiting.values():
            _give(waiting, error)


def _give(waiting: asyncio.Future[Answer], answer: Answer) -> None:
    if not waiting.done():
        waiting.set_result(answer)
