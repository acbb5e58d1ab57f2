"""Ping (XEP-0199)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from stanzavault.kernel.request import Request, Way
from stanzavault.kernel.routing import IqRoute, Routes
from stanzavault.wire.xml import qualified

NAMESPACE = "urn:xmpp:ping"


async def pong(request: Request) -> Element | None:  # noqa: ARG001 - a route's signature
    """The empty result (section 4.2)."""
    return None


def routes() -> Routes:
    """Pings of the vault's own address and of an account's."""
    ping = IqRoute("get", qualified(NAMESPACE, "ping"), pong, frozenset({Way.DIRECT, Way.BY_ACCOUNT}))
    return Routes(iqs=(ping,), component_features=(NAMESPACE,), account_features=(NAMESPACE,))
