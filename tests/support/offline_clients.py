"""What clients say and hear where messages wait for them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

from slixmpp import JID

from support.accounts import Account
from support.clients import CLIENT, Client, logged_in
from support.inbox import WAIT
from support.vaults import ServerVault

OFFLINE = "http://jabber.org/protocol/offline"
_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


@asynccontextmanager
async def visitor(vault: ServerVault, account: Account, resource: str = "visitor") -> AsyncIterator[Client]:
    """Log a client in that sends its presence to the vault alone, and is known there when it goes on."""
    async with logged_in(vault.server, account, resource, presence=False) as client:
        come(client, vault)
        await client.pass_through(vault.jid)
        yield client


def come(client: Client, vault: ServerVault, *, priority: int = 0) -> None:
    """Send presence to the vault alone, before whatever is sent next (slixmpp's own would be overtaken)."""
    presence = ET.Element(f"{{{CLIENT}}}presence", {"to": vault.jid})
    ET.SubElement(presence, f"{{{CLIENT}}}priority").text = str(priority)
    client.send_element(presence)


def leave(
    client: Client,
    vault: ServerVault,
    account: Account,
    text: str | None,
    *,
    type_: str | None = "chat",
    more: str = "",
) -> None:
    """Leave a message for an account."""
    message = ET.Element(
        f"{{{CLIENT}}}message", {"to": f"{account.user}\\40{account.domain}@{vault.jid}", "id": "m"}
    )
    if type_ is not None:
        message.set("type", type_)
    if text is not None:
        ET.SubElement(message, f"{{{CLIENT}}}body").text = text
    if more:
        message.append(ET.fromstring(more))
    client.send_element(message)


async def receive(client: Client, vault: ServerVault, number: int) -> list[ET.Element]:
    """The next messages from accounts inside the vault's address, so many of them."""
    return [await client.wait_for(lambda it: _is_left(it, vault), within=WAIT * 3) for _ in range(number)]


def left_messages(client: Client, vault: ServerVault) -> list[ET.Element]:
    """All that came from accounts inside the vault's address, in order."""
    return [it for it in client.inbox.stanzas if _is_left(it, vault)]


def bodies(messages: Sequence[ET.Element]) -> list[str]:
    """What they say."""
    return [it.findtext(f"{{{CLIENT}}}body", "") for it in messages]


def ids(messages: Sequence[ET.Element], vault: ServerVault) -> list[str]:
    """The vault's id of each (XEP-0359)."""
    return [
        mark.get("id", "")
        for it in messages
        for mark in it.findall("{urn:xmpp:sid:0}stanza-id")
        if mark.get("by") == vault.jid
    ]


def message_of(message: ET.Element) -> tuple[str, str]:
    """What a message says, and its node (XEP-0013)."""
    mark = message.find(f"{{{OFFLINE}}}offline/{{{OFFLINE}}}item")
    return message.findtext(f"{{{CLIENT}}}body", ""), mark.get("node", "") if mark is not None else ""


def refusal(message: ET.Element) -> str | None:
    """The condition of an error."""
    for error in message.findall(f"{{{CLIENT}}}error"):
        for part in error:
            namespace, _, name = part.tag[1:].partition("}")
            if namespace == _STANZAS and name != "text":
                return name
    return None


def node_query(kind: str) -> ET.Element:
    """Service discovery at the node of XEP-0013; `kind` is "info" or "items"."""
    return ET.Element(f"{{http://jabber.org/protocol/disco#{kind}}}query", {"node": OFFLINE})


def offline(*children: ET.Element) -> ET.Element:
    """A request of XEP-0013."""
    tree = ET.Element(f"{{{OFFLINE}}}offline")
    tree.extend(children)
    return tree


def item(action: str, node: str) -> ET.Element:
    """A message that a request names."""
    return ET.Element(f"{{{OFFLINE}}}item", {"action": action, "node": node})


async def until_empty(client: Client, vault: ServerVault) -> None:
    """Return when nothing waits for the client's account any more."""
    async with asyncio.timeout(WAIT):
        while await number_waiting(client, vault):  # noqa: ASYNC110 - a deletion does not announce itself
            await asyncio.sleep(0.02)


async def number_waiting(client: Client, vault: ServerVault) -> int:
    """How many messages wait for the client's account."""
    answer = await client.iq_get(node_query("info"), to=vault.jid)
    field = answer.find(".//{jabber:x:data}field[@var='number_of_messages']/{jabber:x:data}value")
    assert field is not None
    return int(field.text or "")


def _is_left(stanza: ET.Element, vault: ServerVault) -> bool:
    return (
        stanza.tag == f"{{{CLIENT}}}message"
        and JID(stanza.get("from", "")).domain == vault.jid
        and stanza.get("type") != "error"
    )
