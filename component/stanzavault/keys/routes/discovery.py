"""What service discovery tells of nodes (XEP-0060, sections 5.3 to 5.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from stanzavault.kernel.request import Request
from stanzavault.kernel.routing import DiscoNode
from stanzavault.keys.kinds.table import KindTable
from stanzavault.keys.model.node import HISTORY
from stanzavault.keys.routes.gate import Gate
from stanzavault.keys.routes.reading import Reading
from stanzavault.keys.rules.configuration import values
from stanzavault.keys.stanza.node_form import META_DATA, render_form
from stanzavault.keys.stanza.xep_0060 import PUBSUB
from stanzavault.wire.xml import element, qualified

_INFO = "http://jabber.org/protocol/disco#info"
_ITEMS = "http://jabber.org/protocol/disco#items"


@dataclass(frozen=True, slots=True)
class NodeDiscovery:
    """Serves discovery at every node that an account may have, to those who may read it."""

    kinds: KindTable
    gate: Gate
    reading: Reading

    def nodes(self) -> Iterator[DiscoNode]:
        """One for each node, and for each history."""
        for kind in self.kinds:
            yield self._node(kind.name, kind.name)
            if kind.keeps_history:
                yield self._node(kind.name + HISTORY, kind.name)

    def _node(self, name: str, base: str) -> DiscoNode:
        async def info(request: Request) -> Sequence[Element]:
            node = await self.gate.readable(request, base)
            identity = element(qualified(_INFO, "identity"), {"category": "pubsub", "type": "leaf"})
            feature = element(qualified(_INFO, "feature"), {"var": PUBSUB})
            form = render_form(META_DATA, "result", values(node.access), {})
            return [identity, feature, form]

        async def items(request: Request) -> Sequence[Element]:
            address = request.stanza.get("to") or str(request.account)
            item_ids = await self.reading.item_ids(request, name)
            return [
                element(qualified(_ITEMS, "item"), {"jid": address, "name": item_id}) for item_id in item_ids
            ]

        return DiscoNode(name, info, items)
