"""RSA public keys: their checks, their forms in XML and DER, and their fingerprints."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from xml.etree import ElementTree as ET

from esession import crypto
from esession.crypto import SigningKey
from esession.errors import MalformedError
from esession.groups import decode_integer, encode_integer
from esession.wire import xml
from esession.wire.xep_0004 import decode_base64, encode_base64

SIGNATURES: Final = "http://www.w3.org/2000/09/xmldsig#"
LEAST_BITS: Final = 1024
MOST_BITS: Final = 16384


@dataclass(frozen=True)
class RSAPublicKey:
    """An RSA public key.

    Attributes:
        modulus: An odd number of LEAST_BITS to MOST_BITS bits.
        exponent: An odd number of 3 or more, below the modulus.

    Raises:
        MalformedError: The numbers are no RSA public key. The library below accepts an even modulus, so
            this is checked here.
    """

    modulus: int
    exponent: int

    def __post_init__(self) -> None:
        if not LEAST_BITS <= self.modulus.bit_length() <= MOST_BITS:
            raise MalformedError(f"an RSA modulus has {LEAST_BITS} to {MOST_BITS} bits")
        if not self.modulus & 1:
            raise MalformedError("an RSA modulus is odd")
        if not self.exponent & 1 or not 3 <= self.exponent < self.modulus:
            raise MalformedError("an RSA exponent is odd, at least 3 and below the modulus")

    @classmethod
    def of(cls, key: SigningKey) -> RSAPublicKey:
        """The public half of a private key."""
        return cls(*key.public_numbers())

    @classmethod
    def from_subject_public_key_info(cls, der: bytes) -> RSAPublicKey:
        """Read a DER SubjectPublicKeyInfo.

        Raises:
            MalformedError: These octets hold no RSA public key.
        """
        return cls(*crypto.read_subject_public_key_info(der))

    @classmethod
    def from_key_value(cls, element: ET.Element) -> RSAPublicKey:
        """Read a `<KeyValue/>` or `<RSAKeyValue/>`, with or without namespace (XML Signature section 4.4.2).

        Raises:
            MalformedError: It is of another form.
        """
        if xml.split_tag(element.tag) in {(SIGNATURES, "KeyValue"), ("", "KeyValue")} and len(element) == 1:
            element = element[0]
        namespace, name = xml.split_tag(element.tag)
        if name != "RSAKeyValue" or namespace not in {SIGNATURES, ""}:
            raise MalformedError("a key is not an RSAKeyValue")
        parts = {xml.split_tag(child.tag)[1]: child.text or "" for child in element}
        if parts.keys() != {"Modulus", "Exponent"} or len(element) != 2:
            raise MalformedError("an RSAKeyValue has a Modulus and an Exponent")
        return cls(
            decode_integer(decode_base64(parts["Modulus"])), decode_integer(decode_base64(parts["Exponent"]))
        )

    def subject_public_key_info(self) -> bytes:
        """The key as DER SubjectPublicKeyInfo."""
        return crypto.subject_public_key_info(self.modulus, self.exponent)

    def rsa_key_value(self) -> ET.Element:
        """The key as an `<RSAKeyValue/>` of XML Signature."""
        element = ET.Element(f"{{{SIGNATURES}}}RSAKeyValue")
        for name, number in (("Modulus", self.modulus), ("Exponent", self.exponent)):
            ET.SubElement(element, f"{{{SIGNATURES}}}{name}").text = encode_base64(encode_integer(number))
        return element

    @cached_property
    def key_value(self) -> bytes:
        """The normalized `<KeyValue/>`, over which XEP-0116 takes fingerprints and MACs."""
        wrapper = ET.Element(f"{{{SIGNATURES}}}KeyValue")
        wrapper.append(self.rsa_key_value())
        return xml.normalize([wrapper], xml.CANONICAL)

    def fingerprint(self, hash_name: str = "sha256") -> bytes:
        """The fingerprint of XEP-0116 section 4.3: the hash of the normalized `<KeyValue/>`."""
        return crypto.digest(hash_name, self.key_value)

    def print_0189(self, begin: str, end: str, jid: str) -> str:
        """The fingerprint of a published key (XEP-0189 section 3).

        Args:
            begin: The key's begin, as it is published.
            end: The key's end, as it is published.
            jid: The address associated with the key.

        Returns:
            Base64 of SHA-256 over begin, end, jid and both numbers in decimal.
        """
        text = f"{begin}{end}{jid}{self.modulus}{self.exponent}"
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")

    def verifies(self, data: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's rsa-sha256 over `data`."""
        return crypto.verify(self.modulus, self.exponent, data, signature)

    def __repr__(self) -> str:
        return f"RSAPublicKey({self.modulus.bit_length()} bits, {self.fingerprint().hex()[:16]}…)"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in a session.

    Attributes:
        jid: Our full JID.
        keys: Our signing keys; the first one identifies us, none if we use none.
    """

    jid: str
    keys: tuple[SigningKey, ...] = ()


def bare(jid: str) -> str:
    """A JID without its resource."""
    return jid.partition("/")[0]
