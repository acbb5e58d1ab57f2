"""What its owner may choose of a node (XEP-0060, section 16.4.4, as XEP-0222 and 0223 profile it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from stanzavault.kernel.errors import Conflict, NotAcceptable
from stanzavault.keys.model.conditions import condition
from stanzavault.keys.model.node import AccessModel, Node
from stanzavault.keys.model.requests import Options

ACCESS: Final = "pubsub#access_model"
CHOICES: Final[Mapping[str, Sequence[str]]] = {ACCESS: [model.value for model in AccessModel]}

_FIXED: Final[Mapping[str, str]] = {
    "pubsub#persist_items": "true",
    "pubsub#max_items": "max",
    "pubsub#send_last_published_item": "never",
    "pubsub#publish_model": "publishers",
    "pubsub#deliver_notifications": "true",
    "pubsub#deliver_payloads": "true",
    "pubsub#notification_type": "headline",
}
_BOOLEANS: Final = {"1": "true", "0": "false"}


def values(access: AccessModel) -> dict[str, Sequence[str]]:
    """All fields of a node's configuration."""
    return {ACCESS: [access.value], **{name: [value] for name, value in _FIXED.items()}}


def default_node(name: str, access: AccessModel, *, owner_only: bool) -> Node:
    """A node that nobody configured yet.

    Args:
        name: its name.
        access: what the deployment gives to a new node.
        owner_only: whether only its owner ever reads it.
    """
    return Node(b"", name, AccessModel.WHITELIST if owner_only else access)


def configured(node: Node, options: Options, *, owner_only: bool) -> Node:
    """The node as `options` configure it.

    Raises:
        NotAcceptable: a field is unknown, or has a value that can't be chosen.
    """
    access = node.access
    for name in options:
        value = _value(options, name)
        if name == ACCESS:
            access = _access(value, owner_only=owner_only)
        elif value != _FIXED[name]:
            raise NotAcceptable(f"'{name}' is {_FIXED[name]} here.", application=condition("invalid-options"))
    return replace(node, access=access)


def check_preconditions(node: Node, options: Options) -> None:
    """Refuse a publication whose options do not agree with the node (section 7.1.5).

    Raises:
        Conflict: one does not.
        NotAcceptable: one is unknown.
    """
    for name in options:
        value = _value(options, name)
        present = node.access.value if name == ACCESS else _FIXED[name]
        if value != present:
            raise Conflict(f"'{name}' is {present}.", application=condition("precondition-not-met"))


def _value(options: Options, name: str) -> str:
    given = options[name]
    if (name != ACCESS and name not in _FIXED) or len(given) != 1:
        raise NotAcceptable(
            f"'{name[:64]}' is not a field of a node's configuration here, or has no single value.",
            application=condition("invalid-options"),
        )
    return _BOOLEANS.get(given[0], given[0])


def _access(value: str, *, owner_only: bool) -> AccessModel:
    try:
        access = AccessModel(value)
    except ValueError:
        access = None
    if access is None or (owner_only and access is not AccessModel.WHITELIST):
        served = [AccessModel.WHITELIST] if owner_only else list(AccessModel)
        names = ", ".join(model.value for model in served)
        raise NotAcceptable(
            f"The access model of this node can be: {names}.",
            application=condition("unsupported-access-model"),
        )
    return access
