"""Requests of a node's owner, and their answers (XEP-0060, section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import BadRequest, NotAcceptable
from stanzavault.kernel.limits import Limits
from stanzavault.keys.model.conditions import unsupported
from stanzavault.keys.model.requests import (
    Affiliate,
    Configure,
    Delete,
    OwnerReading,
    OwnerWriting,
    Purge,
    ShowAffiliations,
    ShowConfiguration,
    ShowDefault,
)
from stanzavault.keys.stanza.node_form import NODE_CONFIG, parse_options
from stanzavault.keys.stanza.xep_0060 import node_of
from stanzavault.wire.xml import add, address, element, only_known, qualified, required, split

OWNER: Final = "http://jabber.org/protocol/pubsub#owner"
OWNER_TAG: Final = qualified(OWNER, "pubsub")
_AFFILIATION: Final = qualified(OWNER, "affiliation")
_UNSERVED = {
    "outcast": "outcast-affiliation",
    "publisher": "publisher-affiliation",
    "publish-only": "publish-only-affiliation",
}


def parse_get(pubsub: Element) -> OwnerReading:
    """Read the `<pubsub/>` of an IQ of type get.

    Raises:
        BadRequest: it is not of its schema.
        FeatureNotImplemented: it asks for what is not served.
    """
    action = _action(pubsub)
    match split(action.tag)[1]:
        case "default":
            only_known(action, attributes=["type"])
            if action.get("type", "leaf") != "leaf":
                raise unsupported("collections", "There are no collections here.")
            return ShowDefault()
        case "configure":
            only_known(action, attributes=["node"])
            return ShowConfiguration(node_of(action))
        case "affiliations":
            only_known(action, attributes=["node"])
            return ShowAffiliations(node_of(action))
        case "subscriptions":
            raise unsupported("manage-subscriptions", "Who subscribed is not shown.")
        case name:
            raise BadRequest(f"<{name}/> is not something to get.")


def parse_set(pubsub: Element, limits: Limits) -> OwnerWriting:
    """Read the `<pubsub/>` of an IQ of type set.

    Raises:
        BadRequest: it is not of its schema.
        FeatureNotImplemented: it asks for what is not served.
    """
    action = _action(pubsub)
    match split(action.tag)[1]:
        case "configure":
            only_known(action, attributes=["node"], children=[child.tag for child in action])
            return Configure(node_of(action), parse_options(action, NODE_CONFIG, limits.fields))
        case "affiliations":
            return _affiliate(action)
        case "purge":
            only_known(action, attributes=["node"])
            return Purge(node_of(action))
        case "delete":
            only_known(action, attributes=["node"])
            return Delete(node_of(action))
        case "subscriptions":
            raise unsupported("manage-subscriptions", "Subscribers manage their subscriptions themselves.")
        case name:
            raise BadRequest(f"<{name}/> is not something to set.")


def render_configuration(node: str, form: Element) -> Element:
    """The answer that holds a node's configuration."""
    answer = element(OWNER_TAG)
    add(answer, "configure", {"node": node}).append(form)
    return answer


def render_default(form: Element) -> Element:
    """The answer that holds the default configuration."""
    answer = element(OWNER_TAG)
    add(answer, "default").append(form)
    return answer


def render_affiliations(node: str, affiliations: Sequence[tuple[Address, str]]) -> Element:
    """The answer that holds a node's affiliations."""
    answer = element(OWNER_TAG)
    holder = add(answer, "affiliations", {"node": node})
    for member, affiliation in affiliations:
        add(holder, "affiliation", {"jid": str(member), "affiliation": affiliation})
    return answer


def _action(pubsub: Element) -> Element:
    only_known(pubsub, children=[child.tag for child in pubsub])
    if len(pubsub) != 1 or split(pubsub[0].tag)[0] != OWNER:
        raise BadRequest("<pubsub/> asks for one thing at a time.")
    return pubsub[0]


def _affiliate(action: Element) -> Affiliate:
    only_known(action, attributes=["node"], children=[_AFFILIATION])
    added: set[Address] = set()
    removed: set[Address] = set()
    for child in action:
        only_known(child, attributes=["jid", "affiliation"])
        member = address(child, "jid").bare
        if member in added | removed:
            raise BadRequest("An address is affiliated twice.")
        match required(child, "affiliation"):
            case "member":
                added.add(member)
            case "none":
                removed.add(member)
            case "owner":
                raise NotAcceptable("A node has one owner: its account.")
            case other if other in _UNSERVED:
                raise unsupported(_UNSERVED[other], "An address is a member of a node, or nothing.")
            case _:
                raise BadRequest("An affiliation is member or none.")
    return Affiliate(node_of(action), frozenset(added), frozenset(removed))
