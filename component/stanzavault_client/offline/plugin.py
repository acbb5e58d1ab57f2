"""The plugin `offline`: leave messages for others, and get what was left for oneself (XEP-0160, XEP-0013)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar, Final, Literal
from xml.etree.ElementTree import Element

from slixmpp.exceptions import XMPPError
from slixmpp.plugins import BasePlugin
from slixmpp.stanza import Message
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from stanzavault.kernel.address import Address
from stanzavault.kernel.paging import PageRequest
from stanzavault.offline.stanza.xep_0013 import NAMESPACE, OFFLINE
from stanzavault.wire import xep_0004, xep_0059
from stanzavault.wire.xml import add, element, qualified
from stanzavault_client.asking import read
from stanzavault_client.errors import AnswerMalformed
from stanzavault_client.lookup import plugin_of
from stanzavault_client.offline.model import Header, LeftMessage, read_header, read_left
from stanzavault_client.paging import pages
from stanzavault_client.policy import Policy
from stanzavault_client.storage import Store
from stanzavault_client.vault import VaultPlugin

_HANDLER: Final = "Messages of the vault"
_INFO: Final = qualified("http://jabber.org/protocol/disco#info", "query")
_ITEMS: Final = qualified("http://jabber.org/protocol/disco#items", "query")
_ITEM: Final = qualified("http://jabber.org/protocol/disco#items", "item")
_PING: Final = qualified("urn:xmpp:ping", "ping")
_NUMBER: Final = "number_of_messages"
_MOST_REMEMBERED: Final = 10_000


class OfflinePlugin(BasePlugin):
    """Messages for the absent.

    The event `left_message` (`LeftMessage`) brings each message that is delivered once this client has told
    the vault that it is here. A message comes again until a ping behind it was answered; one that came before
    in the life of this plugin is not told again. slixmpp answers the ping as soon as its handlers have
    run: make the message durable in a plain function, not in a coroutine, if it must never get lost.
    """

    name = "offline"
    description = "Stanzavault: messages for the absent (XEP-0160, XEP-0013)"
    dependencies: ClassVar[set[str]] = {"vault", "xep_0199"}
    default_config: ClassVar[dict[str, Any]] = {"store": None, "policy": Policy()}

    store: Store
    policy: Policy

    def plugin_init(self) -> None:
        """See BasePlugin."""
        self._vault = plugin_of(self.xmpp, VaultPlugin)
        self._told: OrderedDict[str, None] = OrderedDict()
        self._leaving: dict[tuple[str, str], StanzaBase | None] = {}
        self._viewed: dict[str, LeftMessage] = {}
        self.xmpp.register_handler(Callback(_HANDLER, MatchXPath("{jabber:client}message"), self._take))

    def plugin_end(self) -> None:
        """See BasePlugin."""
        self.xmpp.remove_handler(_HANDLER)

    async def leave(self, account: str, body: str = "", *, message: Message | None = None) -> str:
        """Leave a message for an account, and return once the vault keeps it durably.

        Args:
            account: the bare address of the account.
            body: what it says.
            message: a whole message instead, such as an encrypted one; its addresses are set here.

        Returns:
            The message's own id.

        Raises:
            XMPPError: it is refused, with the vault's reason.
            NoVault: the account's host shows no vault.
        """
        address = Address.parse(account)
        vault = await self._vault.find(address.domain)
        to = vault.address_of(address)
        stanza = message if message is not None else self.xmpp.make_message(to, body, mtype="chat")
        stanza["to"] = to
        stanza["id"] = stanza["id"] or self.xmpp.new_id()
        key = (str(stanza["to"]), str(stanza["id"]))
        self._leaving[key] = None
        try:
            stanza.send()
            # The vault serves the stanzas of an account in their order: a refusal comes before this answer.
            await self._vault.asker.get_empty(element(_PING), vault.jid)
        finally:
            refused = self._leaving.pop(key)
        if refused is not None:
            error = refused["error"]
            raise XMPPError(error["condition"], error["text"], error["type"])
        return key[1]

    async def receive(self, *, priority: int | None = None) -> None:
        """Tell the vault that this client is here: what waits is delivered by the event `left_message`.

        It is to be told at each login; or once, by a presence subscription to the vault, for all to come.

        Args:
            priority: of this client's presence; below 0, nothing is delivered to it.
        """
        vault = await self._vault.find()
        self.xmpp.send_presence(pto=vault.jid, ppriority=priority)

    async def count(self) -> int:
        """How many messages wait (XEP-0013, section 2.2). From then on, they are not delivered unasked."""
        answer = await self._at_node(_INFO)
        form = answer.find(xep_0004.FORM)
        told = None if form is None else read(form, lambda tree: xep_0004.parse(tree, 16)).one(_NUMBER)
        if told is None:
            raise AnswerMalformed("The vault does not say how many messages wait.")
        return int(told)

    async def headers(self) -> AsyncIterator[Header]:
        """Every message that waits, the oldest first (section 2.3)."""

        async def ask(page: PageRequest) -> Element:
            return await self._at_node(_ITEMS, xep_0059.render_request(page))

        async for answer in pages(ask, lambda answer: read(answer, xep_0059.parse_page), self.policy.entries):
            for item in answer.iter(_ITEM):
                header = read_header(item)
                if header is not None:
                    yield header

    async def view(self, nodes: Sequence[str]) -> list[LeftMessage]:
        """The messages at these nodes, in the order of the vault (section 2.4); they go on waiting.

        Raises:
            IqError: one of them is not there; none was sent then.
        """
        if not nodes:
            return []
        await self._bring("view", nodes)
        viewed = [self._viewed.pop(node) for node in nodes if node in self._viewed]
        return sorted(viewed, key=lambda message: message.node)

    async def fetch(self) -> list[LeftMessage]:
        """Every message that waits (section 2.6); they go on waiting."""
        await self._bring("fetch")
        fetched = sorted(self._viewed.values(), key=lambda message: message.node)
        self._viewed.clear()
        return fetched

    async def remove(self, nodes: Sequence[str]) -> None:
        """Remove the messages at these nodes (section 2.5).

        Raises:
            IqError: one of them is not there; none was removed then.
        """
        if nodes:
            await self._drop("remove", nodes)

    async def purge(self) -> None:
        """Remove every message that waits (section 2.7)."""
        await self._drop("purge")

    async def _at_node(self, query: str, *children: Element) -> Element:
        asked = element(query, {"node": NAMESPACE})
        asked.extend(children)
        return await self._vault.asker.get(asked, (await self._vault.find()).jid)

    async def _bring(self, action: Literal["view", "fetch"], nodes: Sequence[str] = ()) -> None:
        await self._vault.find()  # or what it sends beside its answer would not be known for its
        await self._vault.asker.get_empty(_offline(action, nodes), await self._vault.way_to(NAMESPACE))

    async def _drop(self, action: Literal["remove", "purge"], nodes: Sequence[str] = ()) -> None:
        await self._vault.asker.set(_offline(action, nodes), await self._vault.way_to(NAMESPACE))

    def _take(self, message: StanzaBase) -> None:
        if message["type"] == "error":
            key = (str(message["from"]), str(message["id"]))
            if key in self._leaving:
                self._leaving[key] = message
            return
        if read_left(message, message["from"].domain) is not None:
            self._vault.with_own(lambda vault: self._tell(read_left(message, vault.jid)))

    def _tell(self, left: LeftMessage | None) -> None:
        if left is None:
            return  # somebody else than the vault pretends
        if left.node:
            self._viewed[left.node] = left
        elif left.id not in self._told:
            self._told[left.id] = None
            if len(self._told) > _MOST_REMEMBERED:
                self._told.popitem(last=False)
            self.xmpp.event("left_message", left)


def _offline(action: str, nodes: Sequence[str]) -> Element:
    """`<offline/>` with an item for each node, or with the action itself where it is about all."""
    asked = element(OFFLINE)
    if action in {"fetch", "purge"}:
        add(asked, action)
    for node in nodes:
        add(asked, "item", {"action": action, "node": node})
    return asked
