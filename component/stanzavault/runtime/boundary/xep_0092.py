"""Software version (XEP-0092)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from stanzavault.kernel.request import Request, Way
from stanzavault.kernel.routing import IqRoute, Routes
from stanzavault.wire.xml import add, element, qualified

NAMESPACE = "jabber:iq:version"
NAME = "Stanzavault"

_QUERY = qualified(NAMESPACE, "query")


def routes(version: str) -> Routes:
    """Tells name and version, and nothing of the system that it runs on (section 5)."""

    async def tell(request: Request) -> Element:  # noqa: ARG001 - a route's signature
        query = element(_QUERY)
        add(query, "name", text=NAME)
        add(query, "version", text=version)
        return query

    route = IqRoute("get", _QUERY, tell, frozenset({Way.DIRECT, Way.BY_ACCOUNT}))
    return Routes(iqs=(route,), component_features=(NAMESPACE,), account_features=(NAMESPACE,))
