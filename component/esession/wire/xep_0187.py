"""Offline encrypted sessions (XEP-0187): nodes, published options, dates, delivery rules and headers."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Final
from xml.etree import ElementTree as ET

from esession.errors import MalformedError
from esession.wire.xep_0004 import DATA, Field, Form
from esession.wire.xep_0155 import AMP, ESESSION

OFFLINE: Final = "http://www.xmpp.org/extensions/xep-0187.html#ns"
PUBSUB: Final = "http://jabber.org/protocol/pubsub"
NODE_CONFIG: Final = "http://jabber.org/protocol/pubsub#node_config"
SHIM: Final = "http://jabber.org/protocol/shim"


class Audience(Enum):
    """For whom options are published: each has its own node, and its own private values."""

    SUBSCRIBERS = OFFLINE
    ALL = ESESSION

    @property
    def access_model(self) -> str:
        """The access model of the node (XEP-0187 section 3.1)."""
        return "presence" if self is Audience.SUBSCRIBERS else "open"


def create_node(audience: Audience) -> ET.Element:
    """The pubsub payload that creates the node: never pushed, and readable by its audience only."""
    pubsub = ET.Element(f"{{{PUBSUB}}}pubsub")
    ET.SubElement(pubsub, f"{{{PUBSUB}}}create", {"node": audience.value})
    configure = ET.SubElement(pubsub, f"{{{PUBSUB}}}configure")
    x = ET.SubElement(configure, f"{{{DATA}}}x", {"type": "submit"})
    values = {
        "FORM_TYPE": NODE_CONFIG,
        "pubsub#deliver_notifications": "0",
        "pubsub#send_last_published_item": "never",
        "pubsub#access_model": audience.access_model,
    }
    for var, value in values.items():
        field = ET.SubElement(x, f"{{{DATA}}}field", {"var": var})
        if var == "FORM_TYPE":
            field.set("type", "hidden")
        ET.SubElement(field, f"{{{DATA}}}value").text = value
    return pubsub


def publish(audience: Audience, form: Form | None) -> ET.Element:
    """The pubsub payload that publishes options, or takes them back with an empty item."""
    pubsub = ET.Element(f"{{{PUBSUB}}}pubsub")
    published = ET.SubElement(pubsub, f"{{{PUBSUB}}}publish", {"node": audience.value})
    item = ET.SubElement(published, f"{{{PUBSUB}}}item", {"id": "current"})
    if form is not None:
        item.append(form.element)
    return pubsub


def request(audience: Audience) -> ET.Element:
    """The pubsub payload that asks for somebody's options."""
    pubsub = ET.Element(f"{{{PUBSUB}}}pubsub")
    ET.SubElement(pubsub, f"{{{PUBSUB}}}items", {"node": audience.value})
    return pubsub


def read_published(pubsub: ET.Element) -> Form | None:
    """The options in an answer to `request`; None if there are none.

    Raises:
        MalformedError: The item holds something else.
    """
    items = pubsub.findall(f"{{{PUBSUB}}}items/{{{PUBSUB}}}item")
    if not items or not len(items[-1]):
        return None
    return Form(items[-1][0])


def expires_field(expires: datetime) -> Field:
    """The `expires` field."""
    return Field("expires", (write_date(expires),), kind="hidden")


def write_date(moment: datetime) -> str:
    """A moment as XEP-0082 writes it, in UTC and whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_date(text: str) -> datetime:
    """A moment as XEP-0082 writes it.

    Raises:
        MalformedError: It isn't one, or it names no zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedError("this is no date and time") from None
    if moment.utcoffset() is None:
        raise MalformedError("a date and time needs a zone")
    return moment.astimezone(UTC)


def resource_rule() -> ET.Element:
    """The rule that keeps a message from any resource but its own (XEP-0079 section 6.1).

    The example of XEP-0187 leaves the action open and names the wrong value: see
    docs/decisions/esession-match-resource.md.
    """
    amp = ET.Element(f"{{{AMP}}}amp")
    attributes = {"action": "error", "condition": "match-resource", "value": "other"}
    ET.SubElement(amp, f"{{{AMP}}}rule", attributes)
    return amp


def created_header(now: datetime) -> ET.Element:
    """The header that says when a stanza was made, to be encrypted with it (XEP-0187 section 4)."""
    headers = ET.Element(f"{{{SHIM}}}headers")
    ET.SubElement(headers, f"{{{SHIM}}}header", {"name": "Created"}).text = write_date(now)
    return headers


def read_created(stanza: ET.Element) -> datetime | None:
    """When a decrypted stanza was made, if it says so."""
    for header in stanza.findall(f"{{{SHIM}}}headers/{{{SHIM}}}header"):
        if header.get("name") == "Created":
            return read_date(header.text or "")
    return None
