"""Which messages are kept for the absent, and for how long (XEP-0160, XEP-0334)."""

from __future__ import annotations

from datetime import datetime, timedelta

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import NotAcceptable, ServiceUnavailable
from stanzavault.offline.model import Kind, Letter, Quota

_NEVER_KEPT_QUIETLY = frozenset({"headline", "error"})
_MOST_GROWTH = 2  # Prosody takes twice as much from a component as a client may send
_LONGEST_LOCAL = 1023  # bytes of a local part (RFC 7622, section 3.3)


def is_kept(letter: Letter) -> bool:
    """Whether a message is kept; False where it is dropped without a word.

    A headline and an error are dropped quietly, and so are chat states alone, as RFC 6121 (section 8.5.2.2)
    has it for messages whose moment has passed. A type that nobody knows counts as normal (section 5.2.2).

    Raises:
        ServiceUnavailable: it can't be kept and its sender has to know: a groupchat message, or one that asks
            not to be kept.
    """
    if letter.type in _NEVER_KEPT_QUIETLY:
        return False
    if letter.type == "groupchat":
        raise ServiceUnavailable("A message of type groupchat is not kept for the absent.")
    if "no-store" in letter.hints:
        raise ServiceUnavailable("The message asks not to be kept, and it can't be delivered at once.")
    return not (letter.type == "chat" and letter.only_chat_states and "store" not in letter.hints)


def kind_of(letter: Letter) -> Kind:
    """The kind under which a message is kept."""
    return Kind.CHAT if letter.type == "chat" else Kind.NORMAL


def require_returnable(sender: Address, component: Address) -> None:
    """See to it that a message of this sender can be handed on.

    Raises:
        NotAcceptable: the sender's address is too long to stand inside one of the component (XEP-0106).
    """
    if len(sender.inside(component.domain).local.encode()) > _LONGEST_LOCAL:
        raise NotAcceptable(f"The sender's address, escaped, has more than {_LONGEST_LOCAL} bytes.")


def require_sendable(letter: Letter, largest: int) -> None:
    """See to it that a message, written anew, is not so large that the server would end the stream over it.

    Where it goes out each namespace is declared as often as it changes, which may take many times the bytes
    that its sender needed.

    Args:
        letter: the message.
        largest: bytes of a stanza that comes in.

    Raises:
        NotAcceptable: it is.
    """
    if letter.written_size > _MOST_GROWTH * largest:
        raise NotAcceptable(f"Written anew, the message has more than {_MOST_GROWTH * largest} bytes.")


def require_room(bytes_kept: int, messages_kept: int, quota: Quota) -> None:
    """See to it that what an account now has waiting is within its quota.

    Raises:
        ServiceUnavailable: the queue is full.
    """
    if bytes_kept > quota.bytes or messages_kept > quota.messages:
        raise ServiceUnavailable("The account's queue of messages is full.")


def expiry(received: datetime, retention: timedelta) -> datetime:
    """The instant from which a message waits no longer."""
    return received + retention
