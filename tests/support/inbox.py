"""What a stream has brought, and waiting for a particular stanza in it."""

import asyncio
from collections.abc import Callable
from xml.etree import ElementTree as ET

WAIT = 10.0
"""Seconds within which a local server has answered."""

Wanted = Callable[[ET.Element], bool]
"""Whether a stanza is the one that is waited for."""


class Inbox:
    """Stanzas in the order in which they came; each is claimed by one `wait_for` at most."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self.stanzas: list[ET.Element] = []
        self._unclaimed: list[ET.Element] = []
        self._waiting: list[tuple[Wanted, asyncio.Future[ET.Element]]] = []

    def put(self, stanza: ET.Element) -> None:
        """Keep a stanza, and wake whoever waits for it."""
        self.stanzas.append(stanza)
        for waiter in self._waiting:
            wanted, arrival = waiter
            if not arrival.done() and wanted(stanza):
                self._waiting.remove(waiter)
                arrival.set_result(stanza)
                return
        self._unclaimed.append(stanza)

    async def wait_for(self, wanted: Wanted, *, within: float = WAIT) -> ET.Element:
        """Return the first stanza that `wanted` accepts and no earlier call returned, once it is here.

        Raises:
            TimeoutError: it did not come; the text lists what did.
        """
        for stanza in self._unclaimed:
            if wanted(stanza):
                self._unclaimed.remove(stanza)
                return stanza
        arrival: asyncio.Future[ET.Element] = asyncio.get_running_loop().create_future()
        waiter = (wanted, arrival)
        self._waiting.append(waiter)
        try:
            return await asyncio.wait_for(arrival, within)
        except TimeoutError:
            seen = "\n".join(ET.tostring(stanza, "unicode") for stanza in self.stanzas)
            raise TimeoutError(f"{self._owner} waited {within} s in vain; it got:\n{seen}") from None
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
