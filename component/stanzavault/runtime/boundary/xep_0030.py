"""Service discovery (XEP-0030): of the vault, of an account at it, of nodes, and for handing over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import ItemNotFound
from stanzavault.kernel.request import Request, Way
from stanzavault.kernel.routing import DiscoNode, IqRoute, Routes
from stanzavault.runtime.boundary import xep_0092, xep_0355
from stanzavault.wire.xml import add, element, qualified

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"

_INFO_QUERY = qualified(INFO, "query")
_ITEMS_QUERY = qualified(ITEMS, "query")
_IDENTITY: dict[str, str | None] = {"category": "component", "type": "archive", "name": xep_0092.NAME}


class Discovery:
    """Tells what the slices serve.

    Args:
        routes: of every slice, and of the boundary's own protocols.

    Raises:
        ValueError: a node or a handed-over namespace is served twice.
    """

    def __init__(self, routes: Sequence[Routes]) -> None:
        own = (INFO, ITEMS)
        self._component_features = _ordered(
            (*own, *xep_0355.VERSIONS), *(each.component_features for each in routes)
        )
        self._account_features = _ordered(own, *(each.account_features for each in routes))
        self._identities = [identity for each in routes for identity in each.identities]
        nodes = [node for each in routes for node in each.nodes]
        delegated = [namespace for each in routes for namespace in each.delegated]
        self._nodes = {node.node: node for node in nodes}
        self._nested = dict(xep_0355.nested(delegated))
        if len(self._nodes) < len(nodes) or len({each.namespace for each in delegated}) < len(delegated):
            raise ValueError("a node or a handed-over namespace is served twice")

    def routes(self) -> Routes:
        """Both requests, whichever way they come."""
        return Routes(
            iqs=(IqRoute("get", _INFO_QUERY, self._info), IqRoute("get", _ITEMS_QUERY, self._items))
        )

    async def _info(self, request: Request) -> Element:
        node, query = _query(request)
        if not node:
            add(query, "identity", _IDENTITY)
            for category, type_ in self._identities:
                add(query, "identity", {"category": category, "type": type_})
            direct = request.way is Way.DIRECT
            _add_features(query, self._component_features if direct else self._account_features)
        elif node in self._nested:
            # No identity: the server would show it as one of its own.
            _add_features(query, self._nested[node])
        else:
            query.extend(await self._find(node).info(request))
        return query

    async def _items(self, request: Request) -> Element:
        node, query = _query(request)
        if not node:
            address = request.stanza.get("to") or str(request.account)
            for known in self._nodes:
                add(query, "item", {"jid": address, "node": known})
        elif node not in self._nested:
            query.extend(await self._find(node).items(request))
        return query

    def _find(self, node: str) -> DiscoNode:
        found = self._nodes.get(node)
        if found is None:
            raise ItemNotFound("There is no such node; disco#items without a node lists those that are.")
        return found


def _query(request: Request) -> tuple[str | None, Element]:
    node = request.payload.get("node") or None
    return node, element(request.payload.tag, {"node": node})


def _add_features(query: Element, features: Iterable[str]) -> None:
    for feature in features:
        add(query, "feature", {"var": feature})


def _ordered(*features: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({feature for each in features for feature in each}))
