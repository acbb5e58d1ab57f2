"""Encrypted data and keys within a collection, as XML Encryption shapes them (XEP-0241).

Both are opaque here: their shape is checked, their names are read, and their bytes are kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from stanzavault.archive.model import EncryptedKey, Item, ItemKind
from stanzavault.kernel.errors import BadRequest, NotAcceptable
from stanzavault.wire import xml
from stanzavault.wire.xml import character_data, element, only_child, qualified, required, split

XMLENC = "http://www.w3.org/2001/04/xmlenc#"
XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
ENCRYPTED_DATA = qualified(XMLENC, "EncryptedData")
ENCRYPTED_KEY = qualified(XMLENC, "EncryptedKey")
KEY_NAME = qualified(XMLDSIG, "KeyName")

_METHOD = qualified(XMLENC, "EncryptionMethod")
_KEY_INFO = qualified(XMLDSIG, "KeyInfo")
_CIPHER_DATA = qualified(XMLENC, "CipherData")
_CIPHER_VALUE = qualified(XMLENC, "CipherValue")
_CARRIED_NAME = qualified(XMLENC, "CarriedKeyName")
_PROPERTIES = qualified(XMLENC, "EncryptionProperties")
_DATA_CHILDREN = frozenset({_METHOD, _KEY_INFO, _CIPHER_DATA, _PROPERTIES})
_KEY_CHILDREN = _DATA_CHILDREN | {_CARRIED_NAME, qualified(XMLENC, "ReferenceList")}
_BASE64 = re.compile(r"\s*[A-Za-z0-9+/=][A-Za-z0-9+/=\s]*", re.ASCII)
_MOST_KEY_NAMES = 64


def parse_data(tree: Element, inherited: str) -> Item:
    """Read `<EncryptedData/>`, which has to name its key (section 2).

    Args:
        tree: the element.
        inherited: the namespace of the collection that it stands in.

    Raises:
        BadRequest: it is not of its shape.
    """
    key_name = check_data(tree)
    return Item(ItemKind.ENCRYPTED, _bytes(tree), xml.written_size(tree, inherited), key_name=key_name)


def check_data(tree: Element) -> str:
    """The name of the key that `<EncryptedData/>` is encrypted with.

    Raises:
        BadRequest: the element is not of its shape.
    """
    _check_shape(tree, _DATA_CHILDREN)
    return _name_in_key_info(tree)


def parse_key(tree: Element, inherited: str) -> EncryptedKey:
    """Read `<EncryptedKey/>`, which names the key that it carries and the one that opens it (section 2).

    Raises:
        BadRequest: it is not of its shape.
    """
    _check_shape(tree, _KEY_CHILDREN)
    carried = _text(_one(tree, _CARRIED_NAME))
    return EncryptedKey(carried, _name_in_key_info(tree), _bytes(tree), xml.written_size(tree, inherited))


def read_item(content: bytes, inherited: str) -> Item:
    """An encrypted item as it was kept."""
    tree = xml.parse(content)
    return Item(
        ItemKind.ENCRYPTED, content, xml.written_size(tree, inherited), key_name=_name_in_key_info(tree)
    )


def read_key(content: bytes, inherited: str) -> EncryptedKey:
    """An encrypted key as it was kept."""
    return parse_key(xml.parse(content), inherited)


def render_key(key: EncryptedKey) -> Element:
    """`<EncryptedKey/>` as it was uploaded."""
    return xml.parse(key.content)


def parse_key_names(container: Element) -> tuple[str, ...]:
    """The names of public keys in a request (sections 5 and 6).

    Raises:
        BadRequest: a name is empty.
        NotAcceptable: there are more of them than any account has keys.
    """
    names = tuple(dict.fromkeys(_text(child) for child in container.findall(KEY_NAME)))
    if len(names) > _MOST_KEY_NAMES:
        raise NotAcceptable(f"A request may name {_MOST_KEY_NAMES} public keys.")
    return names


def render_key_names(names: Sequence[str]) -> list[Element]:
    """The `<KeyName/>` elements of a request."""
    return [element(KEY_NAME, text=name) for name in names]


def _check_shape(tree: Element, known: frozenset[str]) -> None:
    for child in tree:
        if child.tag not in known:
            raise BadRequest(f"<{split(child.tag)[1]}/> does not stand in <{split(tree.tag)[1]}/>.")
    method = only_child(tree, _METHOD)
    if method is not None:
        required(method, "Algorithm")
    value = _one(_one(tree, _CIPHER_DATA), _CIPHER_VALUE)
    if not _BASE64.fullmatch(character_data(value)):
        raise BadRequest("<CipherValue/> holds Base64.")


def _name_in_key_info(tree: Element) -> str:
    return _text(_one(_one(tree, _KEY_INFO), KEY_NAME))


def _one(tree: Element, tag: str) -> Element:
    child = only_child(tree, tag)
    if child is None:
        raise BadRequest(f"<{split(tree.tag)[1]}/> needs <{split(tag)[1]}/>.")
    return child


def _text(tree: Element) -> str:
    text = character_data(tree).strip()
    if not text:
        raise BadRequest(f"<{split(tree.tag)[1]}/> is empty.")
    return text


def _bytes(tree: Element) -> bytes:
    alone = element(tree.tag, dict(tree.items()), tree.text)
    alone.extend(tree)
    return xml.serialize(alone)
