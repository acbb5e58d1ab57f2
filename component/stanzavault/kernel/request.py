"""A request as the boundary hands it to a route, whichever way it came."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address


class Way(Enum):
    """How a stanza reached the vault (docs/architecture.md, "How the vault is addressed")."""

    DIRECT = "direct"
    BY_ACCOUNT = "by account"
    HANDED_OVER = "handed over"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts, as the server vouches for it.

    Attributes:
        address: the full or bare address that the stanza came from.
        is_local: whether the address belongs to a configured host, so that its account may become an owner.
    """

    address: Address
    is_local: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One stanza, stripped of the way that it came.

    Attributes:
        id: correlation id, for the log and for `internal-server-error`.
        kind: "iq", "message" or "presence".
        type: the stanza's type attribute ("get", "set", "chat", "" …).
        way: how it reached the vault.
        principal: who acts.
        account: the bare address of the account that the request is about.
        payload: the single child of an IQ; for messages and presence the stanza itself.
        stanza: the whole stanza, unwrapped.
    """

    id: str
    kind: Literal["iq", "message", "presence"]
    type: str
    way: Way
    principal: Principal
    account: Address
    payload: Element
    stanza: Element

    @property
    def is_own(self) -> bool:
        """Whether the principal acts on its own account, which is one of a configured host."""
        return self.principal.is_local and self.principal.address.bare == self.account
