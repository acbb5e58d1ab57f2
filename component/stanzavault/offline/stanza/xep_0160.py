"""Messages on their way into the vault and out of it (XEP-0160, XEP-0203, XEP-0334, XEP-0359)."""

from __future__ import annotations

from collections.abc import Collection
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import JidMalformed
from stanzavault.kernel.ids import id_text
from stanzavault.offline.model import Letter, Waiting
from stanzavault.offline.stanza import xep_0013
from stanzavault.wire import xep_0082
from stanzavault.wire.xml import add, element, parse, qualified, serialize, split, written_size

FEATURE = "msgoffline"
STANZA_IDS = "urn:xmpp:sid:0"
COMPONENT = "jabber:component:accept"

_CLIENT = "jabber:client"
_CHAT_STATES = "http://jabber.org/protocol/chatstates"
_HINTS = "urn:xmpp:hints"
_BESIDE_CHAT_STATES = frozenset({_HINTS, STANZA_IDS})
_DELAY = qualified("urn:xmpp:delay", "delay")
_STANZA_ID = qualified(STANZA_IDS, "stanza-id")
_OFFLINE = qualified(xep_0013.NAMESPACE, "offline")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_KEPT_ATTRIBUTES = ("type", "id", _LANGUAGE)


def parse_letter(message: Element, account: Address, sender: Address, component: Address) -> Letter:
    """A message that is left for `account`.

    What claims to be the vault's or the account's own word is taken out: stanza ids (XEP-0359, section 4),
    delays (XEP-0203, section 6) and marks of XEP-0013.
    """
    namespace, _ = split(message.tag)
    children = [child for child in message if not _is_forged(child, (component, account))]
    kept = element(qualified(_CLIENT, "message"), {name: message.get(name) for name in _KEPT_ATTRIBUTES})
    kept.extend(_moved(child, namespace, _CLIENT) for child in children)
    return Letter(
        account=account,
        sender=sender,
        type=message.get("type", ""),
        only_chat_states=_are_only_chat_states(children),
        hints=frozenset(name for space, name in map(_tag, children) if space == _HINTS),
        stanza=serialize(kept),
        written_size=written_size(kept, _CLIENT),
    )


def render_waiting(waiting: Waiting, component: Address, to: Address, *, node: bool = False) -> Element:
    """A waiting message as it is handed on to the session `to` of its owner.

    It comes from the sender's address inside the component's, with the sender's resource; it has the vault's
    stanza id and a delay with the time when the vault received it.

    Args:
        waiting: the message.
        component: the vault's address.
        to: the full address of a session of the owner.
        node: whether it is marked with its node (XEP-0013, section 2.4).
    """
    kept = parse(waiting.stanza)
    sender = waiting.sender
    inside = sender.inside(component.domain)
    message = element(
        qualified(COMPONENT, "message"),
        {
            "from": str(Address(inside.local, inside.domain, sender.resource)),
            "to": str(to),
            **{name: kept.get(name) for name in _KEPT_ATTRIBUTES},
        },
    )
    message.extend(_moved(child, _CLIENT, COMPONENT) for child in kept)
    stamp = xep_0082.render(waiting.received)
    message.append(element(_DELAY, {"from": str(component), "stamp": stamp}, "Offline Storage"))
    message.append(element(_STANZA_ID, {"id": id_text(waiting.place.id), "by": str(component)}))
    if node:
        mark = element(_OFFLINE)
        add(mark, "item", {"node": xep_0013.render_node(waiting.place)})
        message.append(mark)
    return message


def _are_only_chat_states(children: Collection[Element]) -> bool:
    tags = [_tag(child) for child in children]
    return any(space == _CHAT_STATES for space, _ in tags) and all(
        space == _CHAT_STATES or space in _BESIDE_CHAT_STATES or name == "thread" for space, name in tags
    )


def _is_forged(child: Element, ours: Collection[Address]) -> bool:
    if child.tag == _OFFLINE:
        return True
    claim = {_DELAY: "from", _STANZA_ID: "by"}.get(child.tag)
    if claim is None:
        return False
    try:
        return Address.parse(child.get(claim, "")) in ours
    except JidMalformed:
        return child.tag == _STANZA_ID


def _moved(child: Element, source: str, target: str) -> Element:
    """A child of a stanza as a child of a stanza in another content namespace (RFC 6120, section 4.8.3)."""
    space, name = split(child.tag)
    if space != source:
        return child
    moved = element(qualified(target, name), dict(child.attrib), child.text)
    moved.extend(child)
    return moved


def _tag(child: Element) -> tuple[str, str]:
    return split(child.tag)
