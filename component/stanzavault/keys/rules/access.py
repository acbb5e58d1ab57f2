"""Who may read a node, and what refuses the others (XEP-0060, sections 4.5 and 6.5.9)."""

from __future__ import annotations

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import NotAllowed, NotAuthorized
from stanzavault.keys.model.conditions import condition
from stanzavault.keys.model.node import AccessModel, Node


def depends_on_presence(node: Node, account: Address, reader: Address) -> bool:
    """Whether only the roster of `account` tells if `reader` may read its node."""
    return node.access is AccessModel.PRESENCE and reader.bare != account


def may_read(node: Node, account: Address, reader: Address, *, is_contact: bool) -> bool:
    """Whether `reader` may read the node of `account`.

    Args:
        node: the node.
        account: whose node it is.
        reader: who asks.
        is_contact: whether `reader` may see the presence of `account`.
    """
    if reader.bare == account:
        return True
    match node.access:
        case AccessModel.OPEN:
            return True
        case AccessModel.PRESENCE:
            return is_contact
        case AccessModel.WHITELIST:
            return reader.bare in node.members


def closed() -> NotAllowed:
    """What someone is told whom a node's owner did not name."""
    return NotAllowed(
        "Only those whom its owner names may read this node.", application=condition("closed-node")
    )


def refusal(node: Node) -> NotAllowed | NotAuthorized:
    """What someone who may not read the node is told."""
    if node.access is AccessModel.PRESENCE:
        return NotAuthorized(
            "Only those who see its owner's presence may read this node.",
            application=condition("presence-subscription-required"),
        )
    return closed()
