"""Presence as far as the vault takes part in it (RFC 6121, sections 3 and 4)."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.wire.xml import element, integer, qualified, split

_COMPONENT = "jabber:component:accept"


def priority(presence: Element) -> int:
    """The priority of available presence, 0 where it names none (RFC 6121, section 4.7.2.3).

    Raises:
        BadRequest: it is no whole number from -128 to 127.
    """
    text = presence.findtext(qualified(split(presence.tag)[0], "priority"))
    return integer(text, "<priority/>", least=-128, most=127) if text is not None else 0


def welcome(component: Address, account: Address) -> Sequence[Element]:
    """Grants a subscription, shows presence, and asks for one in return, so that logins are told."""
    return [_presence(type_, component, account) for type_ in ("subscribed", None, "subscribe")]


def farewell(component: Address, account: Address) -> Sequence[Element]:
    """Ends a subscription in both directions."""
    return [_presence(type_, component, account) for type_ in ("unsubscribed", "unavailable", "unsubscribe")]


def here(component: Address, to: Address) -> Element:
    """The vault's own presence."""
    return _presence(None, component, to)


def refusal(sender: Address, to: Address) -> Element:
    """Declines a subscription."""
    return _presence("unsubscribed", sender, to)


def _presence(type_: str | None, sender: Address, to: Address) -> Element:
    return element(qualified(_COMPONENT, "presence"), {"type": type_, "from": str(sender), "to": str(to)})
