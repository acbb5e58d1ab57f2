"""The private values of published options, and how they are kept: wrapped under a key of the caller's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from xml.etree import ElementTree as ET

from esession import crypto
from esession.channel import KeyPair
from esession.crypto import Entropy
from esession.errors import DamagedError
from esession.groups import decode_integer, encode_integer
from esession.keys import bare
from esession.negotiation.offer import Opening
from esession.secret import Secret
from esession.wire import xep_0116
from esession.wire.xep_0004 import Form, decode_base64, encode_base64
from esession.wire.xep_0187 import Audience, read_date, write_date


@dataclass(frozen=True, slots=True)
class OfflineValues:
    """What opens the sessions that were started with published options.

    Attributes:
        owner: Our bare JID.
        audience: For whom the options were published.
        opening: The options, with their private exponents.
        expires: When they expire.
        taken: The peers' public values and session ids taken so far, hashed, against replays.
    """

    owner: str
    audience: Audience
    opening: Opening
    expires: datetime
    taken: frozenset[bytes] = field(default=frozenset(), repr=False)

    @property
    def record(self) -> str:
        """The name under which the store keeps them."""
        return self.audience.name.lower()

    def has_taken(self, nonce: bytes, value: int) -> bool:
        """Whether a session with this id or this public value has been taken before."""
        return bool(self.taken & {_mark(b"nonce", nonce), _mark(b"value", encode_integer(value))})

    def taking(self, nonce: bytes, value: int) -> OfflineValues:
        """The values after a session has been taken."""
        marks = {_mark(b"nonce", nonce), _mark(b"value", encode_integer(value))}
        return replace(self, taken=self.taken | marks)

    def wrap(self, key: bytes, entropy: Entropy) -> bytes:
        """Seal the values for the store.

        Args:
            key: The caller's key: 16, 24 or 32 octets.
            entropy: The caller's source.
        """
        plain = json.dumps(
            {
                "form": ET.tostring(self.opening.request.form.element, "unicode"),
                "exponents": [encode_base64(pair.exponent.reveal()) for pair in self.opening.pairs],
                "values": [encode_base64(encode_integer(pair.value)) for pair in self.opening.pairs],
                "expires": write_date(self.expires),
                "taken": sorted(encode_base64(mark) for mark in self.taken),
            }
        )
        return crypto.seal(key, plain.encode(), self._bound(self.owner, self.audience), entropy)

    @classmethod
    def unwrap(cls, wrapped: bytes, key: bytes, owner: str, audience: Audience) -> OfflineValues:
        """Open what `wrap` sealed.

        Raises:
            DamagedError: Another key, another owner or audience, or damaged.
        """
        plain = json.loads(crypto.unseal(key, wrapped, cls._bound(owner, audience)))
        pairs = tuple(
            KeyPair(Secret(decode_base64(exponent)), decode_integer(decode_base64(value)))
            for exponent, value in zip(plain["exponents"], plain["values"], strict=True)
        )
        request = xep_0116.read_request(Form(ET.fromstring(plain["form"])))
        if request.values != tuple(pair.value for pair in pairs):
            raise DamagedError("kept values don't belong to their options")
        taken = frozenset(decode_base64(mark) for mark in plain["taken"])
        return cls(bare(owner), audience, Opening(request, pairs), read_date(plain["expires"]), taken)

    @staticmethod
    def _bound(owner: str, audience: Audience) -> bytes:
        return f"XEP-0187 values\n{bare(owner)}\n{audience.value}".encode()


def _mark(kind: bytes, octets: bytes) -> bytes:
    return crypto.digest("sha256", kind + octets)
