"""Proving who one is, encrypted: the SIGMA part of the negotiation (XEP-0116 sections 4.5.4 and 4.6.2)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from esession import channel, crypto
from esession.channel import Position
from esession.crypto import SigningKey
from esession.errors import FEATURE_NOT_IMPLEMENTED, MalformedError, RefusedError
from esession.groups import encode_integer
from esession.keys import RSAPublicKey
from esession.negotiation.derivation import RoleKeys
from esession.suite import BLOCK_OCTETS, Identification, Suite
from esession.wire import xml
from esession.wire.xep_0004 import decode_base64

FindKey = Callable[[bytes], RSAPublicKey | None]
"""Finds a key by the fingerprint that XEP-0116 gives it, taken with the negotiated hash."""


@dataclass(frozen=True, slots=True)
class Proof:
    """An encrypted identity: what the `identity` and `mac` fields hold, and the counter that follows."""

    identity: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    after: Position


@dataclass(frozen=True, slots=True)
class Claim:
    """What a party proves to know: what goes into its SIGMA MAC besides its public key.

    Attributes:
        nonces: The verifier's session id, then its own.
        value: Its public Diffie-Hellman value.
        forms: The normalized forms, one after another.
    """

    nonces: bytes
    value: int
    forms: bytes

    def mac(self, suite: Suite, keys: RoleKeys, public_key: bytes) -> bytes:
        """HMAC(HASH, KS, {N, N, value, pubKey, forms})."""
        data = self.nonces + encode_integer(self.value) + public_key + self.forms
        return crypto.mac(suite.hash, keys.sigma.reveal(), data)


def prove(  # noqa: PLR0917  the terms of the formula
    suite: Suite, keys: RoleKeys, at: Position, claim: Claim, how: Identification, signer: SigningKey | None
) -> Proof:
    """Make the proof of an identity.

    Args:
        suite: What was negotiated.
        keys: The keys of what we send.
        at: Our counter.
        claim: What we prove to know.
        how: By `key`, by `hash` or `none`.
        signer: Our signing key, needed unless `how` is `none`.
    """
    if how == "none" or signer is None:
        plain = claim.mac(suite, keys, b"")
    else:
        public = RSAPublicKey.of(signer)
        signature = signer.sign(claim.mac(suite, keys, public.key_value))
        shown = public.key_value
        if how == "hash":
            text = base64.b64encode(public.fingerprint(suite.hash))
            shown = b"<fingerprint>" + text + b"</fingerprint>"
        plain = shown + b"<SignatureValue>" + base64.b64encode(signature) + b"</SignatureValue>"
    identity, after = channel.crypt(suite, keys.cipher, at, plain)
    return Proof(identity, _integrity(suite, keys, at, identity), after)


def check_integrity(suite: Suite, keys: RoleKeys, at: Position, identity: bytes, mac: bytes) -> None:
    """Check the MAC of an encrypted identity, before it is decrypted.

    Raises:
        RefusedError: The MAC doesn't match.
    """
    if not crypto.same(mac, _integrity(suite, keys, at, identity)):
        raise _refused("mac", "the encrypted identity's MAC does not match")


def check(  # noqa: PLR0917  the terms of the formula
    suite: Suite,
    keys: RoleKeys,
    at: Position,
    claim: Claim,
    how: Identification,
    identity: bytes,
    find: FindKey,
) -> tuple[RSAPublicKey | None, Position]:
    """Decrypt and check the peer's proof, whose MAC has been checked.

    Args:
        suite: What was negotiated.
        keys: The keys of what the peer sends.
        at: The peer's counter.
        claim: What the peer must prove to know.
        how: How the peer identifies itself.
        identity: The encrypted identity.
        find: Finds a known key by its fingerprint.

    Returns:
        The peer's public key, None where none was negotiated, and the counter that follows.

    Raises:
        RefusedError: The proof doesn't hold, or names a key that we don't have.
    """
    plain, after = channel.crypt(suite, keys.cipher, at, identity)
    if how == "none":
        if not crypto.same(plain, claim.mac(suite, keys, b"")):
            raise _refused("identity", "the proof of the negotiation does not hold")
        return None, after
    try:
        key, signature = _read(plain, how, find)
        verified = key is not None and key.verifies(claim.mac(suite, keys, key.key_value), signature)
    except MalformedError as error:
        raise _refused("identity", f"the identity can't be read: {error}") from None
    if key is None:
        raise _refused("identity", "the fingerprint names a key that is not known here")
    if not verified:
        raise _refused("identity", "the signature of the negotiation does not hold")
    return key, after


def _read(plain: bytes, how: Identification, find: FindKey) -> tuple[RSAPublicKey | None, bytes]:
    content = xml.parse_content(plain, "identity", "")
    if [child.tag for child in content] != ["KeyValue" if how == "key" else "fingerprint", "SignatureValue"]:
        raise MalformedError("it is not of the negotiated form")
    shown, signed = content
    signature = decode_base64(signed.text or "")
    if how == "hash":
        return find(decode_base64(shown.text or "")), signature
    key = RSAPublicKey.from_key_value(shown)
    if xml.normalize([_without_tail(shown)], xml.CANONICAL) != key.key_value:
        raise MalformedError("the key is not normalized")
    return key, signature


def _without_tail(element: ET.Element) -> ET.Element:
    element.tail = None
    return element


def _integrity(suite: Suite, keys: RoleKeys, at: Position, identity: bytes) -> bytes:
    counter = encode_integer(at.counter)
    if not suite.profile.strips_counters:
        counter = counter.rjust(BLOCK_OCTETS, b"\0")
    return crypto.mac(suite.hash, keys.mac.reveal(), counter + identity)


def _refused(field_name: str, text: str) -> RefusedError:
    return RefusedError(FEATURE_NOT_IMPLEMENTED, (field_name,), text)
