"""Items on an account's nodes in the vault, as their owner and their readers ask for them (XEP-0060)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element

from slixmpp.exceptions import IqError

from stanzavault.kernel.paging import PageRequest
from stanzavault.keys.stanza.node_form import NODE_CONFIG, PUBLISH_OPTIONS
from stanzavault.keys.stanza.xep_0060 import PUBSUB, PUBSUB_TAG
from stanzavault.keys.stanza.xep_0060_owner import OWNER_TAG
from stanzavault.wire import xep_0004, xep_0059
from stanzavault.wire.xml import add, element, qualified
from stanzavault_client.asking import Asker, read
from stanzavault_client.errors import AnswerMalformed

ACCESS: Final = "pubsub#access_model"
_ITEM: Final = qualified(PUBSUB, "item")


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a node."""

    id: str
    payload: Element = field(repr=False)


class Nodes:
    """The nodes of one account.

    Args:
        asker: asks the vault.
        address: where it is asked about the account.
    """

    def __init__(self, asker: Asker, address: str) -> None:
        self._asker = asker
        self._address = address

    async def items(self, node: str, most: int) -> list[Item]:
        """Every item, the first published first; none where there is no such node.

        Args:
            node: its name.
            most: items of a page.

        Raises:
            IqError: it is refused, other than for not being there.
            AnswerMalformed: the answer is not of its schema.
        """
        found: list[Item] = []
        cursor: str | None = None
        while True:
            asked = element(PUBSUB_TAG)
            add(asked, "items", {"node": node})
            asked.append(xep_0059.render_request(PageRequest(most, after=cursor)))
            try:
                answer = await self._asker.get(asked, self._address)
            except IqError as error:
                if error.condition == "item-not-found" and cursor is None:
                    return []
                raise
            some = [Item(item.get("id", ""), item[0]) for item in answer.iter(_ITEM) if len(item)]
            found += some
            page = read(answer, xep_0059.parse_page)
            if not some or page.last is None or page.count == len(found):
                return found
            if page.last == cursor:
                raise AnswerMalformed("The vault's pages of items have no end.")
            cursor = page.last

    async def publish(
        self, node: str, payload: Element, *, item_id: str = "", options: Mapping[str, str] | None = None
    ) -> str:
        """Publish an item; the id under which it is there.

        Args:
            node: its name; it is made where there is none.
            payload: what is published.
            item_id: the item to replace or to make, "" to let the vault name a new one.
            options: the configuration that the node has to have (section 7.1.5).
        """
        request = element(PUBSUB_TAG)
        publish = add(request, "publish", {"node": node})
        add(publish, "item", {"id": item_id or None}).append(payload)
        if options:
            add(request, "publish-options").append(_form(PUBLISH_OPTIONS, options))
        answer = await self._asker.set(request, self._address)
        named = None if answer is None else next(answer.iter(_ITEM), None)
        item_id = item_id if named is None else named.get("id", item_id)
        if not item_id:
            raise AnswerMalformed("The vault does not say under which id the item is published.")
        return item_id

    async def retract(self, node: str, item_id: str) -> None:
        """Delete an item, and tell who subscribed."""
        request = element(PUBSUB_TAG)
        add(add(request, "retract", {"node": node, "notify": "true"}), "item", {"id": item_id})
        await self._asker.set(request, self._address)

    async def configure(self, node: str, options: Mapping[str, str]) -> None:
        """Change a node's configuration."""
        request = element(OWNER_TAG)
        add(request, "configure", {"node": node}).append(_form(NODE_CONFIG, options))
        await self._asker.set(request, self._address)

    async def subscribe(self, node: str, jid: str) -> None:
        """Let an address of one's own be told of changes."""
        request = element(PUBSUB_TAG)
        add(request, "subscribe", {"node": node, "jid": jid})
        await self._asker.set(request, self._address)

    async def unsubscribe(self, node: str, jid: str) -> None:
        """Let it be told no longer."""
        request = element(PUBSUB_TAG)
        add(request, "unsubscribe", {"node": node, "jid": jid})
        await self._asker.set(request, self._address)


def _form(form_type: str, options: Mapping[str, str]) -> Element:
    values = {name: (value,) for name, value in options.items()}
    return xep_0004.render(xep_0004.Form("submit", form_type, values))
