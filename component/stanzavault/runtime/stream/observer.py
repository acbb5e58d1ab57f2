"""What the stream tells whoever counts: numbers and labels, never content or addresses."""

from typing import Protocol

from .failures import Failure
from .refusals import Refusal


class StreamObserver(Protocol):
    """Told of everything worth counting; called on the hot path, its methods must not block or raise."""

    def connection_established(self) -> None:
        """The server has accepted the handshake."""

    def connection_ended(self, failure: Failure) -> None:
        """A connection ended, or could not be made."""

    def reconnect_scheduled(self, delay: float) -> None:
        """The next attempt is made in that many seconds."""

    def stanza_accepted(self, kind: str) -> None:
        """A stanza (``iq``, ``message``, ``presence``) is handed on, or waits to be."""

    def stanza_refused(self, kind: str, refusal: Refusal) -> None:
        """A stanza is not served; ``kind`` is ``other`` for what is no stanza of XMPP."""

    def stanza_handled(self, kind: str, seconds: float, *, failed: bool) -> None:
        """A handler ended after that many seconds; ``failed`` if by an exception."""


class SilentObserver:
    """Counts nothing."""

    def connection_established(self) -> None:
        """Ignored."""

    def connection_ended(self, failure: Failure) -> None:
        """Ignored."""

    def reconnect_scheduled(self, delay: float) -> None:
        """Ignored."""

    def stanza_accepted(self, kind: str) -> None:
        """Ignored."""

    def stanza_refused(self, kind: str, refusal: Refusal) -> None:
        """Ignored."""

    def stanza_handled(self, kind: str, seconds: float, *, failed: bool) -> None:
        """Ignored."""
