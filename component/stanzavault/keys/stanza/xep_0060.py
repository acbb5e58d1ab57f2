"""Requests of those who publish, read and subscribe, and their answers (XEP-0060, sections 5 to 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import BadRequest, NotAcceptable
from stanzavault.kernel.limits import Limits
from stanzavault.kernel.paging import Page
from stanzavault.keys.model.conditions import condition, unsupported
from stanzavault.keys.model.requests import (
    Create,
    Fetch,
    ListAffiliations,
    ListSubscriptions,
    Options,
    Publish,
    Reading,
    Retract,
    Subscribe,
    Unsubscribe,
    Writing,
)
from stanzavault.keys.stanza.node_form import NODE_CONFIG, PUBLISH_OPTIONS, parse_options
from stanzavault.wire import xep_0059
from stanzavault.wire.xml import (
    add,
    address,
    boolean,
    element,
    integer,
    only_child,
    only_known,
    qualified,
    split,
)

PUBSUB: Final = "http://jabber.org/protocol/pubsub"
PUBSUB_TAG: Final = qualified(PUBSUB, "pubsub")
_ITEM: Final = qualified(PUBSUB, "item")
_LONGEST_ITEM_ID = 255
_LONGEST_NODE = 1023


def parse_get(pubsub: Element, limits: Limits) -> Reading:
    """Read the `<pubsub/>` of an IQ of type get.

    Raises:
        BadRequest: it is not of its schema.
        FeatureNotImplemented: it asks for what is not served.
    """
    action = _action(pubsub, beside=[xep_0059.SET])
    match split(action.tag)[1]:
        case "items":
            return _fetch(pubsub, action, limits)
        case "subscriptions":
            only_known(action, attributes=["node"])
            return ListSubscriptions(action.get("node", ""))
        case "affiliations":
            only_known(action, attributes=["node"])
            return ListAffiliations(action.get("node", ""))
        case "options":
            raise unsupported("subscription-options", "Subscriptions have no options here.")
        case "default":
            raise unsupported("retrieve-default-sub", "Subscriptions have no options here.")
        case name:
            raise BadRequest(f"<{name}/> is not something to get.")


def parse_set(pubsub: Element, limits: Limits) -> Writing:
    """Read the `<pubsub/>` of an IQ of type set.

    Raises:
        BadRequest: it is not of its schema.
        FeatureNotImplemented: it asks for what is not served.
    """
    names = ("publish-options", "configure", "options")
    action = _action(pubsub, beside=[qualified(PUBSUB, name) for name in names])
    beside = {split(child.tag)[1]: child for child in pubsub if child is not action}
    match split(action.tag)[1]:
        case "publish":
            _only_beside(beside, "publish-options")
            return _publish(action, beside.get("publish-options"), limits)
        case "retract":
            _only_beside(beside)
            return _retract(action)
        case "create":
            _only_beside(beside, "configure")
            only_known(action, attributes=["node"])
            return Create(node_of(action), _configuration(beside.get("configure"), limits))
        case "subscribe":
            if "options" in beside:
                raise unsupported("subscription-options", "Subscriptions have no options here.")
            _only_beside(beside)
            only_known(action, attributes=["node", "jid"])
            return Subscribe(node_of(action), _subscriber(action))
        case "unsubscribe":
            _only_beside(beside)
            only_known(action, attributes=["node", "jid", "subid"])
            return Unsubscribe(node_of(action), _subscriber(action))
        case "options":
            raise unsupported("subscription-options", "Subscriptions have no options here.")
        case name:
            raise BadRequest(f"<{name}/> is not something to set.")


def render_items(node: str, items: Iterable[tuple[str, Element]], page: Page[Any] | None) -> Element:
    """The answer that holds items, and their `<set/>` where they are a page."""
    answer = element(PUBSUB_TAG)
    holder = add(answer, "items", {"node": node})
    for item_id, payload in items:
        add(holder, "item", {"id": item_id}).append(payload)
    if page is not None:
        answer.append(xep_0059.render(page))
    return answer


def render_published(node: str, item_id: str) -> Element:
    """The answer that names the item that was published."""
    answer = element(PUBSUB_TAG)
    add(add(answer, "publish", {"node": node}), "item", {"id": item_id})
    return answer


def render_subscription(node: str, subscriber: Address) -> Element:
    """The answer to who subscribed."""
    answer = element(PUBSUB_TAG)
    add(answer, "subscription", _subscription(node, subscriber))
    return answer


def render_subscriptions(asked: str, subscriptions: Sequence[tuple[str, Address]]) -> Element:
    """One's own subscriptions: node and address of each."""
    answer = element(PUBSUB_TAG)
    holder = add(answer, "subscriptions", {"node": asked or None})
    for node, subscriber in subscriptions:
        add(holder, "subscription", _subscription(node, subscriber))
    return answer


def render_affiliations(asked: str, affiliations: Sequence[tuple[str, str]]) -> Element:
    """One's own affiliations: node and affiliation of each."""
    answer = element(PUBSUB_TAG)
    holder = add(answer, "affiliations", {"node": asked or None})
    for node, affiliation in affiliations:
        add(holder, "affiliation", {"node": node, "affiliation": affiliation})
    return answer


def node_of(tree: Element) -> str:
    """The node that an element names.

    Raises:
        BadRequest: it names none.
    """
    node = tree.get("node")
    if not node:
        raise BadRequest(
            f"<{split(tree.tag)[1]}/> needs the attribute 'node'.", application=condition("nodeid-required")
        )
    if len(node) > _LONGEST_NODE:
        raise BadRequest(f"The name of a node has {_LONGEST_NODE} characters at most.")
    return node


def _action(pubsub: Element, beside: Sequence[str]) -> Element:
    """The one child that says what to do; what may stand beside it comes once at most."""
    only_known(pubsub, children=[child.tag for child in pubsub])
    actions = [child for child in pubsub if child.tag not in beside]
    if not actions and len(pubsub) == 1:
        return pubsub[0]
    if len(actions) != 1 or split(actions[0].tag)[0] != PUBSUB:
        raise BadRequest("<pubsub/> asks for one thing at a time.")
    for tag in beside:
        only_child(pubsub, tag)
    return actions[0]


def _only_beside(beside: Mapping[str, Element], *names: str) -> None:
    for name in beside.keys() - set(names):
        raise BadRequest(f"<{name}/> does not stand here.")


def _fetch(pubsub: Element, items: Element, limits: Limits) -> Fetch:
    only_known(items, attributes=["node", "max_items", "subid"], children=[_ITEM])
    if len(items) > limits.page:
        raise NotAcceptable(f"Ask for {limits.page} items at most.")
    newest = items.get("max_items")
    return Fetch(
        node=node_of(items),
        page=xep_0059.parse(pubsub, limits.page),
        item_ids=tuple(_item_id(item) for item in items),
        newest=None if newest is None else integer(newest, "max_items", least=1),
        is_paged=pubsub.find(xep_0059.SET) is not None,
    )


def _publish(publish: Element, options: Element | None, limits: Limits) -> Publish:
    only_known(publish, attributes=["node"], children=[_ITEM])
    if len(publish) == 0:
        raise BadRequest("<publish/> needs an <item/>.", application=condition("item-required"))
    if len(publish) > 1:
        raise NotAcceptable("Publish one item at a time.", application=condition("max-items-exceeded"))
    item = publish[0]
    only_known(item, attributes=["id", "publisher"], children=[child.tag for child in item])
    if len(item) == 0:
        raise BadRequest("<item/> needs a payload.", application=condition("payload-required"))
    if len(item) > 1:
        raise BadRequest("<item/> holds one payload.", application=condition("invalid-payload"))
    wanted: Options = {}
    if options is not None:
        wanted = parse_options(options, PUBLISH_OPTIONS, limits.fields)
    item_id = _item_id(item) if "id" in item.keys() else ""  # noqa: SIM118 - an element's keys are its attributes
    return Publish(node_of(publish), item_id, item[0], wanted)


def _retract(retract: Element) -> Retract:
    only_known(retract, attributes=["node", "notify"], children=[_ITEM])
    if len(retract) == 0 or not retract[0].get("id"):
        raise BadRequest("<retract/> needs an <item/> with its id.", application=condition("item-required"))
    if len(retract) > 1:
        raise NotAcceptable("Retract one item at a time.", application=condition("max-items-exceeded"))
    return Retract(node_of(retract), _item_id(retract[0]), boolean(retract, "notify", default=False))


def _configuration(configure: Element | None, limits: Limits) -> Options:
    if configure is None or len(configure) == 0:
        return {}
    only_known(configure, children=[child.tag for child in configure])
    return parse_options(configure, NODE_CONFIG, limits.fields)


def _subscriber(tree: Element) -> Address:
    if not tree.get("jid"):
        raise BadRequest("Say who subscribes.", application=condition("jid-required"))
    return address(tree, "jid")


def _item_id(item: Element) -> str:
    text = item.get("id", "")
    if not 1 <= len(text) <= _LONGEST_ITEM_ID or not text.isprintable():
        raise BadRequest(f"The id of an item has 1 to {_LONGEST_ITEM_ID} printable characters.")
    return text


def _subscription(node: str, subscriber: Address) -> dict[str, str | None]:
    return {"node": node, "jid": str(subscriber), "subscription": "subscribed"}
