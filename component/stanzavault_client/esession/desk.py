"""What a session needs of the plugin."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from slixmpp import ClientXMPP

from stanzavault_client.esession.sending import Sender
from stanzavault_client.storage import Store

if TYPE_CHECKING:
    from stanzavault_client.esession.session import EncryptedSession


class Desk(Protocol):
    """What a session needs of the plugin."""

    client: ClientXMPP
    store: Store
    sender: Sender

    @property
    def answer_within(self) -> float:
        """Seconds after which a request counts as unanswered."""
        ...

    def now(self) -> datetime:
        """The present time."""
        ...

    def stands(self, session: EncryptedSession) -> None:
        """A session has come about."""
        ...

    def ended(self, session: EncryptedSession) -> None:
        """A session is over."""
        ...
