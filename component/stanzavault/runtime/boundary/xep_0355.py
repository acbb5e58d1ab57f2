"""Namespace delegation (XEP-0355), in the version of Prosody (2) and in that of ejabberd (1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import BadRequest, ServiceUnavailable
from stanzavault.kernel.routing import Delegated
from stanzavault.wire.stanza_error import answer_to
from stanzavault.wire.xml import element, qualified, required, split

VERSIONS = ("urn:xmpp:delegation:1", "urn:xmpp:delegation:2")
FORWARD = "urn:xmpp:forward:0"
CLIENT = "jabber:client"

_WRAPPERS = frozenset(qualified(version, "delegation") for version in VERSIONS)
_FORWARDED = qualified(FORWARD, "forwarded")
_IQ = qualified(CLIENT, "iq")


def unwrap(wrapper: Element) -> Element:
    """The IQ that a server hands over inside `wrapper` (section 4.3); it has a `from`, an id and a type.

    The caller has seen that `wrapper` is an IQ with one child, and that it came from a server of ours.

    Raises:
        ServiceUnavailable: the child is nothing that a server hands over, or of another version.
        BadRequest: it does not hold exactly one IQ, of namespace `jabber:client`, that can be answered.
    """
    delegation = wrapper[0]
    if delegation.tag not in _WRAPPERS:
        raise ServiceUnavailable(f"Delegation is served in the versions {' and '.join(VERSIONS)}.")
    if wrapper.get("type") != "set":
        raise BadRequest("A stanza is handed over in an IQ of type set (XEP-0355).")
    inner = _one(_one(delegation, _FORWARDED), _IQ)
    required(inner, "from")
    required(inner, "id")
    if inner.get("type") not in {"get", "set"}:
        raise BadRequest("What is handed over is an IQ of type get or set (XEP-0355).")
    return inner


def peek(stanza: Element) -> Element | None:
    """The IQ inside a stanza that looks handed over, None where it does not; nothing of it is checked."""
    if len(stanza) and stanza[0].tag in _WRAPPERS:
        return stanza.find(f"*/{_FORWARDED}/{_IQ}")
    return None


def wrap(answer: Element, wrapper: Element) -> Element:
    """The answer to `wrapper` that takes `answer` back, in the version that was asked in."""
    delegation = element(wrapper[0].tag)
    forwarded = element(_FORWARDED)
    forwarded.append(answer)
    delegation.append(forwarded)
    return answer_to(wrapper, "result", delegation)


def nested(delegated: Iterable[Delegated]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Nodes at which servers ask what they shall advertise (section 7.2), with the features of each."""
    for each in delegated:
        for version in VERSIONS:
            yield f"{version}::{each.namespace}", each.host_features
            yield f"{version}:bare:{each.namespace}", each.account_features


def namespaces(notice: Element) -> list[str]:
    """The namespaces that a server tells that it hands over, in its `<delegation/>` (section 4.2)."""
    tag = qualified(split(notice.tag)[0], "delegated")
    return [each.get("namespace", "") for each in notice.iterfind(tag)]


def _one(parent: Element, tag: str) -> Element:
    if len(parent) != 1 or parent[0].tag != tag:
        raise BadRequest(
            f"<{split(parent.tag)[1]}/> holds exactly one <{split(tag)[1]}/> of {split(tag)[0]}."
        )
    return parent[0]
