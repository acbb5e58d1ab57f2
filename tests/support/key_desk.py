"""The slice of published keys behind a real boundary and over a real database; stanzas in, stanzas out."""

from __future__ import annotations

from contextlib import nullcontext
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import Forbidden
from stanzavault.kernel.limits import Limits
from stanzavault.keys.known_keys import PublishedKeys
from stanzavault.keys.model.node import Policy
from stanzavault.keys.routes import KeyRoutes
from stanzavault.keys.store import Stores
from stanzavault.runtime.boundary import Addressing, Boundary, Pace, Privileges, Terms
from stanzavault.runtime.stream import to_wire
from support.service import HOST, Inside

VAULT = "vault.example.org"
JULIET = f"juliet@{HOST}"
ROMEO = f"romeo@{HOST}"
STRANGER = "mercutio@elsewhere.example"
PUBSUB = "{http://jabber.org/protocol/pubsub}"
EVENT = "{http://jabber.org/protocol/pubsub#event}"
OWNER = "{http://jabber.org/protocol/pubsub#owner}"
PUBKEY, REVOKE, ATTEST = "urn:xmpp:pubkey:2", "urn:xmpp:revoke:2", "urn:xmpp:attest:2"
_STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
_ERRORS = "{http://jabber.org/protocol/pubsub#errors}"


class Contacts:
    """A roster that a test writes."""

    def __init__(self) -> None:
        self.granted = True
        self.pairs: set[tuple[str, str]] = set()

    async def is_subscribed(self, account: Address, contact: Address) -> bool:
        if not self.granted:
            raise Forbidden("example.org does not let the vault read rosters.")
        return (str(account), str(contact)) in self.pairs


class KeyDesk:
    """The slice and all around it."""

    def __init__(
        self, inside: Inside, policy: Policy, limits: Limits, hosts: tuple[str, ...] = (HOST,)
    ) -> None:
        self.inside = inside
        self.clock = inside.clock
        self.roster = Contacts()
        self.sent: list[Element] = []
        self.unopened = 0
        self.stores = Stores.make(self._count)
        self.known = PublishedKeys(inside.database, self.stores)
        self.keys = KeyRoutes(
            inside.database, self.stores, self, self.roster, component=VAULT, policy=policy, limits=limits
        )
        self._boundary = Boundary(
            Addressing(VAULT, hosts),
            Terms(reply=limits.reply, pace=Pace(1, 100_000), answer_within=10, version="0"),
            [self.keys.routes()],
            Privileges(),
            self,
            observer=self,
            correlated=lambda _: nullcontext(),
        )

    def _count(self) -> None:
        self.unopened += 1

    def settled(self, kind: str, outcome: str, seconds: float) -> None:
        """See `Observer`."""

    async def send(self, stanza: Element) -> None:
        to_wire(stanza)
        self.sent.append(stanza)

    async def request(self, iq: Element, within: float) -> Element:
        raise AssertionError("the slice asks nobody itself")

    async def ask(
        self, payload: str, *, sender: str = f"{JULIET}/balcony", about: str = "", type_: str = "set"
    ) -> Element:
        """The answer to an IQ, about the sender's own account where no other is named."""
        to = f"{about.replace('@', chr(92) + '40')}@{VAULT}" if about else VAULT
        iq = ET.fromstring(
            f"<iq xmlns='jabber:component:accept' id='1' type='{type_}' from={quoteattr(sender)} to='{to}'>"
            f"{payload}</iq>"
        )
        (answer,) = await self.hand(iq)
        return answer

    async def hand(self, stanza: Element) -> list[Element]:
        """Hand a stanza to the vault: the answers to it."""
        before = len(self.sent)
        await self._boundary.handle(stanza)
        answers = [
            one
            for one in self.sent[before:]
            if not one.tag.endswith("}message") or one.get("type") == "error"
        ]
        self.sent = [one for one in self.sent if one not in answers]
        return answers

    async def told(self) -> list[Element]:
        """The notifications since the last call."""
        await self.keys._announcer._changes.join()
        told, self.sent = self.sent, []
        return told

    # What clients say.

    async def publish(
        self,
        node: str,
        payload: str,
        item: str | None = None,
        *,
        options: dict[str, str] | None = None,
        sender: str = f"{JULIET}/balcony",
    ) -> Element:
        item_id = "" if item is None else f" id={quoteattr(item)}"
        wanted = f"<publish-options>{form('publish-options', options)}</publish-options>" if options else ""
        return await self.ask(
            pubsub(f"<publish node='{node}'><item{item_id}>{payload}</item></publish>{wanted}"),
            sender=sender,
        )

    async def fetch(
        self,
        node: str,
        *,
        sender: str = f"{ROMEO}/orchard",
        about: str = JULIET,
        extra: str = "",
        **items: str,
    ) -> Element:
        attributes = "".join(f" {name}={quoteattr(value)}" for name, value in items.items())
        return await self.ask(
            pubsub(f"<items node={quoteattr(node)}{attributes}/>{extra}"),
            sender=sender,
            about=about,
            type_="get",
        )

    async def items(self, node: str, **rest: str) -> dict[str, Element]:
        """The items that a fetch gives: payloads by ids."""
        answer = await self.fetch(node, **rest)
        assert result(answer)
        return {item.get("id", ""): item[0] for item in answer.iter(f"{PUBSUB}item")}

    async def retract(self, node: str, item: str, *, notify: str = "true", sender: str = JULIET) -> Element:
        return await self.ask(
            pubsub(f"<retract node='{node}' notify='{notify}'><item id='{item}'/></retract>"),
            sender=sender,
        )

    async def subscribe(self, node: str, jid: str, *, sender: str = "", verb: str = "subscribe") -> Element:
        return await self.ask(
            pubsub(f"<{verb} node='{node}' jid='{jid}'/>"),
            sender=sender or jid,
            about=JULIET,
        )

    async def configure(self, node: str, options: dict[str, str], *, sender: str = JULIET) -> Element:
        return await self.ask(
            as_owner(f"<configure node='{node}'>{form('node_config', options)}</configure>"),
            sender=sender,
        )

    async def affiliate(self, node: str, members: dict[str, str], *, sender: str = JULIET) -> Element:
        named = "".join(f"<affiliation jid='{jid}' affiliation='{what}'/>" for jid, what in members.items())
        return await self.ask(
            as_owner(f"<affiliations node='{node}'>{named}</affiliations>"),
            sender=sender,
        )


def pubsub(asked: str) -> str:
    return f"<pubsub xmlns='{PUBSUB[1:-1]}'>{asked}</pubsub>"


def as_owner(asked: str) -> str:
    return f"<pubsub xmlns='{OWNER[1:-1]}'>{asked}</pubsub>"


def form(form_type: str, options: dict[str, str]) -> str:
    fields = "".join(
        f"<field var={quoteattr(name)}><value>{value}</value></field>" for name, value in options.items()
    )
    return (
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>"
        f"<value>http://jabber.org/protocol/pubsub#{form_type}</value></field>{fields}</x>"
    )


def result(answer: Element) -> bool:
    """Whether an answer is a result; its error stands in the assertion otherwise."""
    assert answer.get("type") == "result", ET.tostring(answer, "unicode")
    return True


def refusal(answer: Element) -> tuple[str, str, str]:
    """Type, condition and application-specific condition of an error."""
    error = answer.find("{jabber:component:accept}error")
    assert error is not None, ET.tostring(answer, "unicode")
    condition = next(child.tag for child in error if child.tag.startswith(_STANZAS))
    own = next((child.tag for child in error if child.tag.startswith(_ERRORS)), "")
    return error.get("type", ""), condition.removeprefix(_STANZAS), own.removeprefix(_ERRORS)


def reason(answer: Element) -> str:
    """The text of an error."""
    return next((text.text or "" for text in answer.iter(f"{_STANZAS}text")), "")
