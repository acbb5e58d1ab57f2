"""Encrypted collections of an archive (XEP-0241): `<EncryptedData/>` and `<EncryptedKey/>` of XML Encryption.

What is produced here is AES-256-GCM and RSA-OAEP with SHA-256. Anything else is read and kept as it is, so
that what other clients made can be stored and given back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree as ET

from esession.errors import MalformedError
from esession.wire.xep_0004 import decode_base64, encode_base64

XMLENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XMLENC11: Final = "http://www.w3.org/2009/xmlenc11#"
XMLDSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
ENCRYPTED_DATA: Final = f"{{{XMLENC}}}EncryptedData"
ENCRYPTED_KEY: Final = f"{{{XMLENC}}}EncryptedKey"
KEY_NAME: Final = f"{{{XMLDSIG}}}KeyName"

CONTENT: Final = f"{XMLENC}Content"
AES256_GCM: Final = f"{XMLENC11}aes256-gcm"
RSA_OAEP: Final = f"{XMLENC11}rsa-oaep"
RSA_OAEP_MGF1P: Final = f"{XMLENC}rsa-oaep-mgf1p"
"""The older name: always with MGF1 over SHA-1, and with SHA-1 unless a digest is named."""
SHA1: Final = f"{XMLDSIG}sha1"
SHA256: Final = f"{XMLENC}sha256"
MGF1_SHA1: Final = f"{XMLENC11}mgf1sha1"
MGF1_SHA256: Final = f"{XMLENC11}mgf1sha256"


@dataclass(frozen=True, slots=True)
class EncryptedData:
    """Messages encrypted under a symmetric key.

    Attributes:
        key_name: The name of the symmetric key.
        cipher: The cipher value; for AES-GCM a 96-bit nonce, the ciphertext and a 128-bit tag.
        algorithm: The URI of the algorithm.
        kind: What was encrypted: CONTENT.
    """

    key_name: str
    cipher: bytes = field(repr=False)
    algorithm: str = AES256_GCM
    kind: str = CONTENT


@dataclass(frozen=True, slots=True)
class EncryptedKey:
    """A symmetric key wrapped for one public key.

    Attributes:
        carried_name: The name of the symmetric key.
        recipient: The name of the public key, such as its fingerprint.
        cipher: The wrapped key.
        algorithm: The URI of the algorithm.
        digest: The URI of the hash of RSA-OAEP; None where it isn't named.
        mask: The URI of its mask generation function; None where it isn't named.
    """

    carried_name: str
    recipient: str
    cipher: bytes = field(repr=False)
    algorithm: str = RSA_OAEP
    digest: str | None = SHA256
    mask: str | None = MGF1_SHA256


def write_data(data: EncryptedData) -> ET.Element:
    """The `<EncryptedData/>` element."""
    element = ET.Element(ENCRYPTED_DATA, {"Type": data.kind})
    ET.SubElement(element, f"{{{XMLENC}}}EncryptionMethod", {"Algorithm": data.algorithm})
    _write_key_info(element, data.key_name)
    _write_cipher(element, data.cipher)
    return element


def read_data(element: ET.Element) -> EncryptedData:
    """Read an `<EncryptedData/>` element.

    Raises:
        MalformedError: It lacks its method, its key's name or its cipher value.
    """
    if element.tag != ENCRYPTED_DATA:
        raise MalformedError("this is no EncryptedData")
    algorithm, _, _ = _read_method(element)
    return EncryptedData(
        _read_key_info(element), _read_cipher(element), algorithm, element.get("Type", CONTENT)
    )


def write_key(key: EncryptedKey) -> ET.Element:
    """The `<EncryptedKey/>` element, its children in the order of XEP-0241's examples."""
    element = ET.Element(ENCRYPTED_KEY)
    ET.SubElement(element, f"{{{XMLENC}}}CarriedKeyName").text = key.carried_name
    method = ET.SubElement(element, f"{{{XMLENC}}}EncryptionMethod", {"Algorithm": key.algorithm})
    if key.digest is not None:
        ET.SubElement(method, f"{{{XMLDSIG}}}DigestMethod", {"Algorithm": key.digest})
    if key.mask is not None:
        ET.SubElement(method, f"{{{XMLENC11}}}MGF", {"Algorithm": key.mask})
    _write_key_info(element, key.recipient)
    _write_cipher(element, key.cipher)
    return element


def read_key(element: ET.Element) -> EncryptedKey:
    """Read an `<EncryptedKey/>` element; its children may come in any order.

    Raises:
        MalformedError: It lacks one of its names, its method or its cipher value.
    """
    if element.tag != ENCRYPTED_KEY:
        raise MalformedError("this is no EncryptedKey")
    carried = _text(element, f"{{{XMLENC}}}CarriedKeyName")
    algorithm, digest, mask = _read_method(element)
    return EncryptedKey(carried, _read_key_info(element), _read_cipher(element), algorithm, digest, mask)


def _write_key_info(element: ET.Element, name: str) -> None:
    info = ET.SubElement(element, f"{{{XMLDSIG}}}KeyInfo")
    ET.SubElement(info, KEY_NAME).text = name


def _write_cipher(element: ET.Element, octets: bytes) -> None:
    data = ET.SubElement(element, f"{{{XMLENC}}}CipherData")
    ET.SubElement(data, f"{{{XMLENC}}}CipherValue").text = encode_base64(octets)


def _read_method(element: ET.Element) -> tuple[str, str | None, str | None]:
    method = element.find(f"{{{XMLENC}}}EncryptionMethod")
    algorithm = method.get("Algorithm") if method is not None else None
    if method is None or not algorithm:
        raise MalformedError("an encrypted element names no algorithm")
    digest, mask = method.find(f"{{{XMLDSIG}}}DigestMethod"), method.find(f"{{{XMLENC11}}}MGF")
    return (
        algorithm,
        digest.get("Algorithm") if digest is not None else None,
        mask.get("Algorithm") if mask is not None else None,
    )


def _read_key_info(element: ET.Element) -> str:
    return _text(element, f"{{{XMLDSIG}}}KeyInfo/{KEY_NAME}")


def _read_cipher(element: ET.Element) -> bytes:
    return decode_base64(_text(element, f"{{{XMLENC}}}CipherData/{{{XMLENC}}}CipherValue"))


def _text(element: ET.Element, path: str) -> str:
    text = (element.findtext(path) or "").strip()
    if not text:
        raise MalformedError(f"an encrypted element lacks {path.rpartition('}')[2]}")
    return text
