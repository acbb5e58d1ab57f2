"""A recovery code: 125 random bits as 28 letters and digits, of which the last three find typing mistakes.

It is written in Crockford's Base32, in groups of four: no letter looks like a digit, and case, spaces and
dashes do not matter.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final, Self

from stanzavault_client.errors import WrongCode

_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_RANDOM_DIGITS: Final = 25
_CHECK_DIGITS: Final = 3
_GROUP: Final = 4


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """A code, which is as secret as the keys that it opens."""

    _digits: str = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        """A fresh random one."""
        digits = "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM_DIGITS))
        return cls(digits)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a code as somebody typed it.

        Raises:
            WrongCode: it has another length, another character, or was mistyped.
        """
        digits = "".join(text.split()).upper().translate(_LOOKALIKES)
        if len(digits) != _RANDOM_DIGITS + _CHECK_DIGITS or set(digits) - set(_DIGITS):
            raise WrongCode("A recovery code has seven groups of four letters and digits.")
        code = cls(digits[:_RANDOM_DIGITS])
        if not secrets.compare_digest(code._check(), digits[_RANDOM_DIGITS:]):
            raise WrongCode("The recovery code was mistyped: compare it with what you wrote down.")
        return code

    @property
    def text(self) -> str:
        """The code as it is shown once, to be written down."""
        digits = self._digits + self._check()
        return "-".join(digits[start : start + _GROUP] for start in range(0, len(digits), _GROUP))

    def reveal(self) -> str:
        """The random digits, from which the key is derived."""
        return self._digits

    def _check(self) -> str:
        digest = hashlib.sha256(b"recovery code" + self._digits.encode()).digest()
        number = int.from_bytes(digest[:2], "big")
        return "".join(_DIGITS[(number >> shift) & 31] for shift in (10, 5, 0))
