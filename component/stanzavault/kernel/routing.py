"""What a slice's routes tell the boundary: which requests they serve, and what is advertised of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element

from stanzavault.kernel.request import Request, Way

EVERY_WAY = frozenset(Way)

Answer = Callable[[Request], Awaitable[Element | None]]
"""Serves an IQ: the payload of its result (None for an empty one), or a StanzaError."""

Deed = Callable[[Request], Awaitable[None]]
"""Takes a message or a presence; a StanzaError becomes its error answer."""

Children = Callable[[Request], Awaitable[Sequence[Element]]]
"""Gives the children of a disco `<query/>`."""


@dataclass(frozen=True, slots=True)
class IqRoute:
    """Serves IQs of one type whose payload has one tag."""

    type: Literal["get", "set"]
    tag: str
    answer: Answer
    ways: frozenset[Way] = EVERY_WAY


@dataclass(frozen=True, slots=True)
class DiscoNode:
    """Serves service discovery (XEP-0030) at one node of an account."""

    node: str
    info: Children
    items: Children


@dataclass(frozen=True, slots=True)
class Delegated:
    """A namespace that the server may hand over (XEP-0355), and what is then advertised.

    Attributes:
        namespace: the namespace of the payloads.
        host_features: features that the server's host shows (node `urn:xmpp:delegation:N::namespace`).
        account_features: features that each account shows (`urn:xmpp:delegation:N:bare:namespace`).
    """

    namespace: str
    host_features: tuple[str, ...] = ()
    account_features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routes:
    r"""All that one slice serves.

    Attributes:
        iqs: the IQs.
        nodes: nodes of service discovery.
        delegated: namespaces that a server may hand over.
        component_features: what the component's own address shows.
        account_features: what `user\40host@component` shows.
        message: takes messages addressed by account, where the slice takes any.
        presence: takes presence sent to the component, where the slice wants it.
    """

    iqs: tuple[IqRoute, ...] = ()
    nodes: tuple[DiscoNode, ...] = ()
    delegated: tuple[Delegated, ...] = ()
    component_features: tuple[str, ...] = ()
    account_features: tuple[str, ...] = ()
    identities: tuple[tuple[str, str], ...] = ()
    message: Deed | None = None
    presence: Deed | None = None
