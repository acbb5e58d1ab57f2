"""The sessions of a client: those that live, and the last few that have ended."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from esession import State
from esession.keys import bare
from esession.wire.xep_0200 import C
from stanzavault_client.esession.session import EncryptedSession

_REMEMBERED: Final = 64
_WAITING: Final = 32
_WAITING_OF_ONE: Final = 4
_CLIENT: Final = "{jabber:client}"


class Sessions:
    """Finds the session that a stanza belongs to; each is known by its peer's bare JID and its thread."""

    def __init__(self) -> None:
        self._live: dict[tuple[str, str], EncryptedSession] = {}
        self._ended: OrderedDict[tuple[str, str], EncryptedSession] = OrderedDict()

    def __iter__(self) -> Iterator[EncryptedSession]:
        return iter(list(self._live.values()))

    def add(self, session: EncryptedSession) -> None:
        """Take in a session that has just begun, unless it has ended with its first stanza."""
        kept = self._ended if session.state is State.ENDED else self._live
        kept[bare(session.peer), session.thread] = session

    def end(self, session: EncryptedSession) -> None:
        """Remember a session only to tell a peer that still talks in it that it is over."""
        key = bare(session.peer), session.thread
        if self._live.pop(key, None) is not None:
            self._ended[key] = session
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)

    def has_room_for(self, sender: str) -> bool:
        """Whether one more request can wait for an answer: strangers must not fill the memory."""
        waiting = [each for each in self if each.state is State.ASKED]
        of_one = [each for each in waiting if bare(each.peer) == bare(sender)]
        return len(waiting) < _WAITING and len(of_one) < _WAITING_OF_ONE

    def by_thread(self, sender: str, thread: str) -> EncryptedSession | None:
        """The session of this thread with this sender, be it over or not."""
        key = bare(sender), thread
        return self._live.get(key) or self._ended.get(key)

    def with_resource(self, sender: str) -> EncryptedSession | None:
        """The latest session in which stanzas are exchanged with this very resource."""
        found = [each for each in self if each.peer == sender and each.is_talking]
        return found[-1] if found else None

    def of(self, stanza: ET.Element) -> EncryptedSession | None:
        """The session that a stanza claims to belong to, by its thread or else by its sender."""
        sender = stanza.get("from", "")
        thread = thread_of(stanza)
        if thread:
            return self.by_thread(sender, thread)
        found = self.with_resource(sender)
        if found is None and stanza.find(C) is not None:
            # One of the last words of a session that has ended since.
            found = next((each for each in reversed(self._ended.values()) if each.peer == sender), None)
        return found

    def that_sent(self, error: ET.Element) -> EncryptedSession | None:
        """The session whose stanza comes back with an error."""
        sender, id_ = error.get("from", ""), error.get("id", "")
        for each in (*self._live.values(), *self._ended.values()):
            if id_ and bare(each.peer) == bare(sender) and each.has_sent(id_):
                return each
        return self.by_thread(sender, thread_of(error)) if thread_of(error) else None


def thread_of(stanza: ET.Element) -> str:
    """The thread of a stanza, empty where it has none."""
    return stanza.findtext(f"{_CLIENT}thread", "").strip()
