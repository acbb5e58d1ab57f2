"""Stanza encryption (XEP-0200): the `<c/>` element, and which content of a stanza goes into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree as ET

from esession.errors import DamagedError, MalformedError
from esession.groups import decode_integer, encode_integer
from esession.wire import xml
from esession.wire.xep_0004 import decode_base64, encode_base64

ENCRYPTION: Final = "http://www.xmpp.org/extensions/xep-0200.html#ns"
STANZA_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
C: Final = f"{{{ENCRYPTION}}}c"
_PREFIX: Final = f"{{{ENCRYPTION}}}"
_LEFT_CLEAR_NAMES: Final = frozenset({"thread", "error"})
_LEFT_CLEAR_NAMESPACES: Final = frozenset(
    {
        ENCRYPTION,
        "http://jabber.org/protocol/amp",
        "http://jabber.org/protocol/address",
        "urn:xmpp:hints",
        "urn:xmpp:sid:0",
        "urn:xmpp:delay",
        "urn:xmpp:carbons:2",
    }
)
_GAJIM_NOTICE: Final = (
    "[This is part of an encrypted session. If you see this message, something went wrong.]"
)


@dataclass(frozen=True, slots=True)
class EncryptedContent:
    """What a `<c/>` element carries.

    Attributes:
        signed: The normalized content that the MAC covers, before the counter is appended.
        mac: The MAC.
        data: The encrypted content; None where there is none.
        key: The sender's new Diffie-Hellman value, when it re-keys.
        new: How many of the receiver's key elements the sender had taken since its last stanza.
        old: Published old MAC keys, which a receiver ignores.
    """

    signed: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    data: bytes | None = field(default=None, repr=False)
    key: int | None = None
    new: int = 0
    old: tuple[bytes, ...] = field(default=(), repr=False)


def read(element: ET.Element) -> EncryptedContent:
    """Read a `<c/>` element.

    Raises:
        DamagedError: It isn't of the form that XEP-0200 section 14 gives.
    """
    signed: list[str] = []
    values: dict[str, str] = {}
    old: list[str] = []
    if (element.text or "").strip():
        raise DamagedError("an encrypted element holds text")
    for child in element:
        tag, text = child.tag, child.text or ""
        if tag[: len(_PREFIX)] != _PREFIX or len(child) or child.attrib or (child.tail or "").strip():
            raise DamagedError("an encrypted element holds something unknown")
        name = tag[len(_PREFIX) :]
        if name != "mac":
            signed.append(f"<{name}>{text}</{name}>")
        if name == "old":
            old.append(text)
        elif name in values or name not in {"data", "key", "new", "mac"}:
            raise DamagedError("an encrypted element holds something twice, or unknown")
        else:
            values[name] = text
    try:
        return EncryptedContent(
            signed="".join(signed).encode(),
            mac=decode_base64(values.get("mac", "")),
            data=decode_base64(values["data"]) if "data" in values else None,
            key=decode_integer(decode_base64(values["key"])) if "key" in values else None,
            new=_positive(values["new"]) if "new" in values else 0,
            old=tuple(decode_base64(text) for text in old),
        )
    except MalformedError as error:
        raise DamagedError(str(error)) from None


def normalized(data: bytes | None, key: int | None, new: int, old: Sequence[bytes]) -> bytes:
    """The content that the MAC covers (XEP-0200 section 5)."""
    parts: list[str] = []
    if data is not None:
        parts.append(f"<data>{encode_base64(data)}</data>")
    if key is not None:
        parts.append(f"<key>{encode_base64(encode_integer(key))}</key>")
    if new:
        parts.append(f"<new>{new}</new>")
    parts.extend(f"<old>{encode_base64(octets)}</old>" for octets in old)
    return "".join(parts).encode()


def write(content: EncryptedContent) -> ET.Element:
    """The `<c/>` element that carries this content."""
    element = ET.Element(C)
    if content.data is not None:
        # The MACed content begins with these octets in Base64 already.
        start = len(b"<data>")
        text = content.signed[start : content.signed.index(b"<", start)].decode("ascii")
        ET.SubElement(element, f"{_PREFIX}data").text = text
    if content.key is not None:
        ET.SubElement(element, f"{_PREFIX}key").text = encode_base64(encode_integer(content.key))
    if content.new:
        ET.SubElement(element, f"{_PREFIX}new").text = str(content.new)
    for octets in content.old:
        ET.SubElement(element, f"{_PREFIX}old").text = encode_base64(octets)
    ET.SubElement(element, f"{_PREFIX}mac").text = encode_base64(content.mac)
    return element


def is_left_clear(child: ET.Element) -> bool:
    """Whether a stanza's child stays outside the encryption (XEP-0200 section 4).

    Besides what the text lists, elements that only servers act on stay readable for them.
    """
    namespace, name = xml.split_tag(child.tag)
    if namespace in _LEFT_CLEAR_NAMESPACES:
        return True
    return name in _LEFT_CLEAR_NAMES and namespace in {"jabber:client", "jabber:component:accept", ""}


def is_encryptable_in_error(child: ET.Element) -> bool:
    """Whether a child of an `<error/>` may be encrypted: all but the defined condition."""
    namespace, name = xml.split_tag(child.tag)
    return namespace != ENCRYPTION and (namespace != STANZA_ERRORS or name == "text")


def gajim_notice(namespace: str) -> ET.Element:
    """The cleartext body that Gajim puts beside what it encrypts."""
    body = ET.Element(f"{{{namespace}}}body" if namespace else "body")
    body.text = _GAJIM_NOTICE
    return body


def _positive(text: str) -> int:
    if not text.strip().isascii() or not text.strip().isdigit() or not 0 < int(text) < 1 << 32:
        raise DamagedError("a count is not a positive number")
    return int(text)
