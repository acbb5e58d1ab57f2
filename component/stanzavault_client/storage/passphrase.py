"""From a passphrase or a recovery code to a key: Argon2id (RFC 9106)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from argon2.low_level import Type, hash_secret_raw

from esession.secret import Secret

SALT_BYTES: Final = 16
_KEY_BYTES: Final = 32
_MOST_ROUNDS: Final = 64
_MOST_KIBIBYTES: Final = 4 * 1024 * 1024
_MOST_LANES: Final = 64


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs; the default is the second choice of RFC 9106, section 4.

    Attributes:
        rounds: passes over the memory.
        kibibytes: of memory.
        lanes: computed side by side.

    Raises:
        ValueError: more than any honest file asks for, or less than Argon2 can do.
    """

    rounds: int = 3
    kibibytes: int = 64 * 1024
    lanes: int = 4

    def __post_init__(self) -> None:
        if not (
            1 <= self.rounds <= _MOST_ROUNDS
            and 1 <= self.lanes <= _MOST_LANES
            and 8 * self.lanes <= self.kibibytes <= _MOST_KIBIBYTES
        ):
            raise ValueError("these costs of Argon2id are beyond reason")

    @property
    def text(self) -> str:
        """All three, as they are bound to what is sealed."""
        return f"argon2id {self.rounds} {self.kibibytes} {self.lanes}"


def derive(passphrase: str, salt: bytes, cost: Cost) -> Secret:
    """The key of 32 bytes that a passphrase makes with a salt; however the passphrase was typed (NFC)."""
    typed = unicodedata.normalize("NFC", passphrase).encode()
    return Secret(hash_secret_raw(typed, salt, cost.rounds, cost.kibibytes, cost.lanes, _KEY_BYTES, Type.ID))
