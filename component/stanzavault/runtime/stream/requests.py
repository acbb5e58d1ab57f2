"""IQs that this component has sent and that wait for their answer (RFC 6120 section 8.2.3)."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from .addresses import normalised
from .failures import Disconnected


@dataclass(frozen=True, slots=True)
class _Request:
    to: str
    answer: asyncio.Future[Element]


class OpenRequests:
    """Matches an answer to its request by id and by the address that was asked."""

    def __init__(self) -> None:
        self._requests: dict[str, _Request] = {}

    def __bool__(self) -> bool:
        return bool(self._requests)

    @contextmanager
    def open(self, to: str) -> Iterator[tuple[str, asyncio.Future[Element]]]:
        """A fresh, unguessable id and the future of its answer, for as long as somebody waits for it.

        Raises:
            ValueError: ``to`` is not a JID.
        """
        asked = normalised(to)
        if asked is None:
            raise ValueError("a request needs a valid 'to'")
        identifier = secrets.token_urlsafe(12)
        answer: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        self._requests[identifier] = _Request(asked, answer)
        try:
            yield identifier, answer
        finally:
            del self._requests[identifier]
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # marked as seen, so that asyncio does not report it as lost

    def resolve(self, response: Element) -> bool:
        """Gives a result or error to whoever waits for it; False if nothing like it was asked there."""
        request = self._requests.get(response.get("id", ""))
        if request is None or request.answer.done() or normalised(response.get("from", "")) != request.to:
            return False
        request.answer.set_result(response)
        return True

    def abandon(self) -> None:
        """The connection is gone, and the answers with it."""
        for request in self._requests.values():
            if not request.answer.done():
                request.answer.set_exception(Disconnected("the stream ended before the answer came"))
