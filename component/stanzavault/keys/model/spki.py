"""RSA keys as SubjectPublicKeyInfo in DER (RFC 3279, section 2.3.1; RFC 5280, section 4.1.2.7)."""

from __future__ import annotations

_SEQUENCE, _INTEGER, _BIT_STRING = 0x30, 0x02, 0x03
_RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")


def encode(modulus: int, exponent: int) -> bytes:
    """The one DER form of an RSA public key."""
    numbers = _wrapped(_SEQUENCE, _integer(modulus) + _integer(exponent))
    return _wrapped(_SEQUENCE, _RSA_ENCRYPTION + _wrapped(_BIT_STRING, b"\0" + numbers))


def decode(der: bytes) -> tuple[int, int]:
    """Modulus and exponent of an RSA public key.

    Raises:
        ValueError: it is not what `encode` writes, to the byte.
    """
    information = _content(_SEQUENCE, der)[0]
    if not information.startswith(_RSA_ENCRYPTION):
        raise ValueError("not an RSA key")
    bits = _content(_BIT_STRING, information[len(_RSA_ENCRYPTION) :])[0]
    numbers = _content(_SEQUENCE, bits[1:])[0]
    modulus, rest = _content(_INTEGER, numbers)
    exponent, _ = _content(_INTEGER, rest)
    found = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if encode(*found) != der:
        raise ValueError("not in DER")
    return found


def _integer(number: int) -> bytes:
    return _wrapped(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _wrapped(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _content(tag: int, data: bytes) -> tuple[bytes, bytes]:
    """The content of the value that `data` begins with, and what follows the value."""
    if len(data) < 2 or data[0] != tag:
        raise ValueError("not of the form of an RSA key")
    start, size = 2, data[1]
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    if start + size > len(data):
        raise ValueError("cut off")
    return data[start : start + size], data[start + size :]
