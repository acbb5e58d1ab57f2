"""The one place that holds key material: what it keeps never prints, and can be wiped."""

from __future__ import annotations

import hmac
from typing import final


@final
class Secret:
    """Octets that must not be shown, compared in constant time and wiped when no longer needed.

    Wiping overwrites this object's own buffer. Python may have made copies on the way (in integers, in
    arguments, in the allocator's free memory), which nothing in the language can reach.
    """

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes | bytearray | Secret) -> None:
        self._octets = bytearray(octets.reveal() if isinstance(octets, Secret) else octets)

    @classmethod
    def of_number(cls, number: int) -> Secret:
        """Keep a positive number as its shortest big-endian octets."""
        return cls(number.to_bytes((number.bit_length() + 7) // 8 or 1, "big"))

    def reveal(self) -> bytes:
        """The octets.

        Raises:
            ValueError: The secret has been wiped.
        """
        if not self._octets:
            raise ValueError("this secret has been wiped")
        return bytes(self._octets)

    def number(self) -> int:
        """The octets as a big-endian number."""
        return int.from_bytes(self.reveal(), "big")

    def wipe(self) -> None:
        """Overwrite the octets; afterwards they can't be read."""
        self._octets[:] = bytes(len(self._octets))
        self._octets = bytearray()

    @property
    def wiped(self) -> bool:
        """Whether the octets are gone."""
        return not self._octets

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._octets, other._octets)

    __hash__ = None  # type: ignore[assignment]  # a hash would be a fingerprint of the secret

    def __repr__(self) -> str:
        return "Secret(wiped)" if self.wiped else "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")
