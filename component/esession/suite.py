"""The algorithms by their negotiated names, and the two profiles of how their values are written.

Left out on purpose, see docs/esession/algorithms.md: MODP groups 1 and 2, DSA, lzw and zlib, Twofish,
Serpent and Whirlpool.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

CIPHER_KEY_OCTETS: Final = {"aes128-ctr": 16, "aes192-ctr": 24, "aes256-ctr": 32, "none": 0}
HASH_OCTETS: Final = {"sha256": 32, "sha384": 48, "sha512": 64}
SIGNATURES: Final = ("http://www.w3.org/2000/09/xmldsig#rsa-sha256",)
SAS_ALGORITHMS: Final = ("sas28x5",)
COMPRESSIONS: Final = ("none",)
VERSIONS: Final = ("1.0",)
STANZAS: Final = ("message", "presence", "iq")

BLOCK_OCTETS: Final = 16
BLOCK_BITS: Final = 128
COUNTERS: Final = 1 << BLOCK_BITS
NO_REKEYING: Final = 4294967295
"""The value of `rekey_freq` by which XEP-0217 says that the session is never re-keyed."""

Identification = Literal["key", "hash", "none"]


@dataclass(frozen=True, slots=True)
class Profile:
    """How values are written where the documents and the one shipped client differ.

    Every item is one row of the comparison in docs/decisions/esession-profiles.md.

    Attributes:
        name: `xep` or `gajim`.
        truncates_keys: Keys are cut to the cipher's key length, least significant octets kept.
        first_block_incremented: The first key stream block of an encryption is that of counter + 1.
        carries_key_stream: What is left of a partial block's key stream serves the next stanza.
        strips_counters: Leading zero octets of a counter are dropped in negotiation.
        nonce_octets: Length of a session id.
        whole_range_exponents: Private exponents are drawn from the group's whole range.
        drops_leading_letters: A short authentication string loses its leading `a`s.
        negotiates_keys: Public keys can be negotiated.
        encrypts_control: Termination and renegotiation travel encrypted and are acknowledged.
        rekeys: Key exchanges within a session are understood.
    """

    name: str
    truncates_keys: bool
    first_block_incremented: bool
    carries_key_stream: bool
    strips_counters: bool
    nonce_octets: int
    whole_range_exponents: bool
    drops_leading_letters: bool
    negotiates_keys: bool
    encrypts_control: bool
    rekeys: bool


XEP: Final = Profile(
    name="xep",
    truncates_keys=True,
    first_block_incremented=False,
    carries_key_stream=False,
    strips_counters=False,
    nonce_octets=16,
    whole_range_exponents=False,
    drops_leading_letters=False,
    negotiates_keys=True,
    encrypts_control=True,
    rekeys=True,
)
GAJIM: Final = Profile(
    name="gajim",
    truncates_keys=False,
    first_block_incremented=True,
    carries_key_stream=True,
    strips_counters=True,
    nonce_octets=8,
    whole_range_exponents=True,
    drops_leading_letters=True,
    negotiates_keys=False,
    encrypts_control=False,
    rekeys=False,
)


@dataclass(frozen=True, slots=True)
class Suite:
    """What a negotiation settled about the cryptography (XEP-0116 section 4.3).

    Attributes:
        profile: How values are written.
        group: Number of the MODP group.
        cipher: Name of the block cipher, `none` for signing only.
        hash: Name of the hash.
        init_pubkey: How the initiator identifies itself.
        resp_pubkey: How the responder identifies itself.
        stanzas: The stanza kinds whose content is encrypted.
        rekey_freq: Least number of stanzas between two key exchanges.
        sign: Name of the signature algorithm.
    """

    profile: Profile
    group: int
    cipher: str = "aes128-ctr"
    hash: str = "sha256"
    init_pubkey: Identification = "none"
    resp_pubkey: Identification = "none"
    stanzas: frozenset[str] = frozenset(STANZAS)
    rekey_freq: int = 1
    sign: str = SIGNATURES[0]

    @property
    def is_subset(self) -> bool:
        """Whether these are the fixed parameters of XEP-0217, whose keys all have 128 bits."""
        return (
            self.profile.truncates_keys
            and self.rekey_freq == NO_REKEYING
            and (self.cipher, self.hash, self.init_pubkey, self.resp_pubkey)
            == ("aes128-ctr", "sha256", "none", "none")
        )

    @property
    def cipher_key_octets(self) -> int:
        """Length of a cipher key; the whole hash where the profile doesn't truncate."""
        if not self.profile.truncates_keys:
            return HASH_OCTETS[self.hash]
        return CIPHER_KEY_OCTETS[self.cipher]

    @property
    def mac_key_octets(self) -> int:
        """Length of an integrity or SIGMA key; see docs/decisions/esession-key-lengths.md."""
        return 16 if self.is_subset else HASH_OCTETS[self.hash]
