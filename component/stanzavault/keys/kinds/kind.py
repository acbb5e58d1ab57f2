"""A kind of node: its name, what its items may be, and how they are verified."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.keys.model.node import About, Policy
from stanzavault.keys.model.public_key import Fingerprint, RsaKey
from stanzavault.keys.rules.soundness import KnownKey


class Evidence(Protocol):
    """What is known when an item is verified."""

    @property
    def account(self) -> Address:
        """Who publishes."""
        ...

    @property
    def now(self) -> datetime:
        """When."""
        ...

    @property
    def policy(self) -> Policy:
        """What the deployment lets an account publish."""
        ...

    async def own_key(self, fingerprint: Fingerprint) -> KnownKey | None:
        """The publisher's key with that fingerprint, past ones included."""
        ...

    async def key_of(self, signer: Address, fingerprint: Fingerprint) -> KnownKey | None:
        """Another's key with that fingerprint, None where the vault does not know it."""
        ...

    async def is_revoked(self, key: RsaKey) -> bool:
        """Whether the publisher ever revoked that key."""
        ...


@dataclass(frozen=True, slots=True)
class Admitted:
    """An item that was verified.

    Attributes:
        payload: what is stored and served: written anew, in the form of its schema.
        about: what it says about a key.
        revokes: the key that it revokes.
    """

    payload: Element = field(repr=False)
    about: About = field(default_factory=About)
    revokes: RsaKey | None = None


Admit = Callable[[Element, Evidence], Awaitable[Admitted]]
"""Verifies a payload, or raises the StanzaError that refuses it."""


@dataclass(frozen=True, slots=True)
class NodeKind:
    """A kind of node.

    Attributes:
        name: the name of the one node of this kind that each account may have.
        tags: payloads that it takes; any where there is none.
        admit: verifies them.
        keeps_history: whether what was replaced or retracted is kept, and shown in the node's history.
        owner_only: whether only its owner ever reads it.
        sole_item: the id of an item published without one to an empty node; "" for a random one.
    """

    name: str
    tags: frozenset[str]
    admit: Admit
    keeps_history: bool = True
    owner_only: bool = False
    sole_item: str = ""
