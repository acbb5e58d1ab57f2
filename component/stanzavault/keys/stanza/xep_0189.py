"""`<pubkey/>`, `<revocation/>` and `<attest/>` (XEP-0189), in every form that the document shows.

Read are both forms of a key (`<rsakey/>` and `<key/>`), both names of a revocation, fingerprints in Base64
and in hexadecimal digits, white space within numbers and Base64, and times without a zone, which are UTC.
Written is what the schemas of section 11 say.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import BadRequest
from stanzavault.keys.model import spki
from stanzavault.keys.model.public_key import (
    SHA_256,
    Attestation,
    Fingerprint,
    Moment,
    PublicKey,
    Revocation,
    RsaKey,
    Written,
)
from stanzavault.wire import xep_0082
from stanzavault.wire.xml import add, character_data, element, only_child, only_known, qualified, split

PUBKEY: Final = "urn:xmpp:pubkey:2"
REVOKE: Final = "urn:xmpp:revoke:2"
ATTEST: Final = "urn:xmpp:attest:2"

PUBLIC_KEY_TAG: Final = qualified(PUBKEY, "pubkey")
REVOCATION_TAG: Final = qualified(REVOKE, "revocation")
REVOKE_TAG: Final = qualified(REVOKE, "revoke")
ATTESTATION_TAG: Final = qualified(ATTEST, "attest")

_DIGEST_BYTES = 32
_MOST_DIGITS = 4300  # what Python reads by default; an RSA modulus of 8192 bits has 2467
_LONGEST_TEXT = 8192
_WHITE_SPACE = " \t\r\n"
_ZONE = re.compile(r"(Z|[+-]\d{2}:\d{2})\Z", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]*", re.ASCII)
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)


def parse_public_key(tree: Element) -> PublicKey:
    """Read `<pubkey/>`.

    Raises:
        BadRequest: it is not of its schema.
        JidMalformed: its `<jid/>` is no address.
    """
    _expect(tree, PUBLIC_KEY_TAG)
    _only(tree, "begin", "end", "jid", "rsakey", "key", "print", "uri")
    key, prints = _key_of(tree)
    return PublicKey(
        begin=_moment(tree, "begin"),
        end=_moment(tree, "end"),
        owner=_address(tree, "jid"),
        key=key,
        fingerprint=Fingerprint.of(_fingerprint(prints, "print").digest),
        uri=_text(tree, "uri") if _optional(tree, "uri") is not None else "",
    )


def render_public_key(key: PublicKey) -> Element:
    """Write `<pubkey/>`, its numbers in decimal digits and its fingerprint in Base64."""
    tree = element(PUBLIC_KEY_TAG)
    add(tree, "begin", text=key.begin.text)
    add(tree, "end", text=key.end.text)
    add(tree, "jid", text=key.owner.text)
    numbers = add(tree, "rsakey")
    add(numbers, "modulus", text=str(key.key.modulus))
    add(numbers, "publicExponent", text=str(key.key.exponent))
    _add_fingerprint(numbers, "print", key.fingerprint)
    if key.uri:
        add(tree, "uri", text=key.uri)
    return tree


def parse_revocation(tree: Element) -> Revocation:
    """Read `<revocation/>` or `<revoke/>`.

    Raises:
        BadRequest: it is not of its schema.
    """
    _expect(tree, REVOCATION_TAG, REVOKE_TAG)
    _only(tree, "key", "rsakey", "keyprint", "signature", "revocationprint", "revocationtime")
    key, _ = _key_of(tree)
    return Revocation(
        key=key,
        fingerprint=_fingerprint(tree, "keyprint"),
        signer_fingerprint=_fingerprint(tree, "revocationprint"),
        time=_moment(tree, "revocationtime"),
        signature=_signature(tree),
    )


def render_revocation(revocation: Revocation) -> Element:
    """Write `<revocation/>`."""
    tree = element(REVOCATION_TAG)
    add(tree, "key", text=revocation.key.text)
    _add_fingerprint(tree, "keyprint", revocation.fingerprint)
    add(tree, "signature", text=revocation.signature)
    _add_fingerprint(tree, "revocationprint", revocation.signer_fingerprint)
    add(tree, "revocationtime", text=revocation.time.text)
    return tree


def parse_attestation(tree: Element) -> Attestation:
    """Read `<attest/>`.

    Raises:
        BadRequest: it is not of its schema.
        JidMalformed: its `<signerjid/>` is no address.
    """
    _expect(tree, ATTESTATION_TAG)
    _only(tree, "keyprint", "signature", "signerjid", "signerprint", "signtime")
    return Attestation(
        fingerprint=_fingerprint(tree, "keyprint"),
        signer=_address(tree, "signerjid"),
        signer_fingerprint=_fingerprint(tree, "signerprint"),
        time=_moment(tree, "signtime"),
        signature=_signature(tree),
    )


def render_attestation(attestation: Attestation) -> Element:
    """Write `<attest/>`."""
    tree = element(ATTESTATION_TAG)
    _add_fingerprint(tree, "keyprint", attestation.fingerprint)
    add(tree, "signature", text=attestation.signature)
    add(tree, "signerjid", text=attestation.signer.text)
    _add_fingerprint(tree, "signerprint", attestation.signer_fingerprint)
    add(tree, "signtime", text=attestation.time.text)
    return tree


def _key_of(tree: Element) -> tuple[RsaKey, Element]:
    """The key in either form, and the element that holds its `<print/>`."""
    numbers = _optional(tree, "rsakey")
    information = _optional(tree, "key")
    if (numbers is None) == (information is None):
        raise BadRequest(f"<{split(tree.tag)[1]}/> holds either <rsakey/> or <key/>.")
    if information is not None:
        return _from_information(information), tree
    assert numbers is not None  # noqa: S101 - one of the two is there, and it is not the other
    _only(numbers, "modulus", "publicExponent", "print")
    return RsaKey(_number(numbers, "modulus"), _number(numbers, "publicExponent")), numbers


def _from_information(tree: Element) -> RsaKey:
    try:
        return RsaKey(*spki.decode(base64.b64decode(_dense(tree), validate=True)))
    except ValueError as error:
        raise BadRequest("<key/> has to hold an RSA SubjectPublicKeyInfo in DER, in Base64.") from error


def _number(tree: Element, name: str) -> int:
    text = _dense(_required(tree, name))
    if len(text) > _MOST_DIGITS or not _NUMBER.fullmatch(text):
        raise BadRequest(f"<{name}/> has to be a positive number in decimal digits.")
    return int(text)


def _moment(tree: Element, name: str) -> Moment:
    text = _text(tree, name)
    zoned = text if _ZONE.search(text) else text + "Z"
    return Moment(text, xep_0082.parse(zoned, f"<{name}/>"))


def _address(tree: Element, name: str) -> Written:
    text = _text(tree, name)
    return Written(text, Address.parse(text))


def _fingerprint(tree: Element, name: str) -> Fingerprint:
    found = _required(tree, name)
    only_known(found, attributes=["algo"])
    if found.get("algo", SHA_256) != SHA_256:
        raise BadRequest(f"<{name}/> is served with the algorithm {SHA_256} alone.")
    text = _dense(found)
    if _HEXADECIMAL.fullmatch(text):
        return Fingerprint(text, bytes.fromhex(text))
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != _DIGEST_BYTES:
        raise BadRequest(f"<{name}/> has to hold 32 bytes, in Base64 or in hexadecimal digits.")
    return Fingerprint(text, digest)


def _signature(tree: Element) -> str:
    """Its lines without the white space around them: OpenPGP's last line is a check sum of its own."""
    text = "\n".join(character_data(_required(tree, "signature")).split())
    if not text:
        raise BadRequest("<signature/> is empty.")
    return text


def _add_fingerprint(parent: Element, name: str, fingerprint: Fingerprint) -> None:
    add(parent, name, {"algo": SHA_256}, fingerprint.text)


def _expect(tree: Element, *tags: str) -> None:
    if tree.tag not in tags:
        raise BadRequest(f"<{split(tags[0])[1]}/> was expected.")


def _only(tree: Element, *names: str) -> None:
    only_known(tree, children=_qualified(tree, names))


def _qualified(tree: Element, names: Sequence[str]) -> list[str]:
    return [qualified(split(tree.tag)[0], name) for name in names]


def _optional(tree: Element, name: str) -> Element | None:
    return only_child(tree, qualified(split(tree.tag)[0], name))


def _required(tree: Element, name: str) -> Element:
    found = _optional(tree, name)
    if found is None:
        raise BadRequest(f"<{split(tree.tag)[1]}/> needs <{name}/>.")
    return found


def _text(tree: Element, name: str) -> str:
    text = character_data(_required(tree, name)).strip(_WHITE_SPACE)
    if not text or len(text) > _LONGEST_TEXT:
        raise BadRequest(f"<{name}/> has to hold 1 to {_LONGEST_TEXT} characters.")
    return text


def _dense(tree: Element) -> str:
    """Character data without any white space."""
    return "".join(character_data(tree).split())
