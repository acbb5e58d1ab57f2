"""The Diffie-Hellman groups by number, the encoding of their integers and the checks on public values.

The primes are those of RFC 3526, computed from the definition given there:
p = 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + k). Each is a safe prime and its generator is 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from esession.errors import MalformedError

# number -> (bits, k)
_DEFINITIONS: Final = {
    5: (1536, 741804),
    14: (2048, 124476),
    15: (3072, 1690314),
    16: (4096, 240904),
    17: (6144, 929484),
    18: (8192, 4743158),
}
GROUP_NUMBERS: Final = frozenset(_DEFINITIONS)
GENERATOR: Final = 2


@dataclass(frozen=True, slots=True)
class Group:
    """A MODP group: a safe prime whose generator is 2."""

    number: int
    prime: int

    @property
    def octets(self) -> int:
        """How many octets the prime has."""
        return (self.prime.bit_length() + 7) // 8

    def is_public_value(self, value: int) -> bool:
        """Whether a received public value may be used.

        XEP-0116 asks for 1 < value < p - 1. For a safe prime the values of the prime-order subgroup that 2
        generates are the quadratic residues, so a Jacobi symbol tells membership at a tenth of the cost of
        an exponentiation.
        """
        return 1 < value < self.prime - 1 and _is_residue(value, self.prime)


@cache
def group(number: int) -> Group:
    """The group with this number.

    Raises:
        MalformedError: There is no such group here (1 and 2 are too weak to be offered or taken).
    """
    if number not in _DEFINITIONS:
        raise MalformedError(f"MODP group {number} is not supported")
    bits, addend = _DEFINITIONS[number]
    prime = (1 << bits) - (1 << (bits - 64)) - 1 + (1 << 64) * (_pi(bits - 130) + addend)
    return Group(number, prime)


def encode_integer(number: int) -> bytes:
    """An integer of arbitrary length as the shortest big-endian octets; 0 is one zero octet.

    See XEP-0116 section 6.1.
    """
    return number.to_bytes((number.bit_length() + 7) // 8 or 1, "big")


def decode_integer(octets: bytes) -> int:
    """The integer that these big-endian octets are."""
    return int.from_bytes(octets, "big")


def _pi(bits: int) -> int:
    """floor(2^bits * pi), by Machin's formula."""
    guard = 64
    unity = 1 << (bits + guard)
    return (4 * (4 * _inverse_arctangent(5, unity) - _inverse_arctangent(239, unity))) >> guard


def _inverse_arctangent(divisor: int, unity: int) -> int:
    term = unity // divisor
    total, sign, odd = term, -1, 3
    square = divisor * divisor
    while term:
        term //= square
        total += sign * (term // odd)
        sign, odd = -sign, odd + 2
    return total


@lru_cache(maxsize=32)
def _is_residue(value: int, prime: int) -> bool:
    """Whether a value is a quadratic residue; remembered, since it is checked again where it is used."""
    return _jacobi(value, prime) == 1


def _jacobi(value: int, odd: int) -> int:
    symbol = 1
    while value:
        twos = (value & -value).bit_length() - 1
        value >>= twos
        if twos & 1 and odd & 7 in {3, 5}:
            symbol = -symbol
        if value & odd & 3 == 3:
            symbol = -symbol
        value, odd = odd % value, value
    return symbol if odd == 1 else 0
