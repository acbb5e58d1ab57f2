"""What a request offers (XEP-0155 section 4.1, XEP-0116 section 4.3), and published options likewise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from esession import crypto
from esession.channel import KeyPair
from esession.errors import MisuseError
from esession.groups import encode_integer, group
from esession.negotiation.established import Party
from esession.policy import Policy
from esession.suite import COMPRESSIONS, NO_REKEYING, SAS_ALGORITHMS, SIGNATURES, VERSIONS
from esession.wire import xep_0116, xep_0155
from esession.wire.xep_0004 import Field, encode_base64
from esession.wire.xep_0116 import Request
from esession.wire.xep_0217 import FIXED

_GAJIM_FIXED: Final = {
    "crypt_algs": "aes128-ctr",
    "hash_algs": "sha256",
    "compress": "none",
    "ver": "1.0",
    "rekey_freq": str(NO_REKEYING),
    "sas_algs": "sas28x5",
    "sign_algs": SIGNATURES[0],
}


@dataclass(frozen=True, slots=True)
class Opening:
    """A request that has been made: its values wait for the response."""

    request: Request
    pairs: tuple[KeyPair, ...]

    def wipe(self) -> None:
        """Destroy the private exponents."""
        for pair in self.pairs:
            pair.exponent.wipe()


def open_negotiation(party: Party) -> Opening:
    """Make a request (XEP-0116 section 4.3)."""
    policy = party.policy
    four = policy.messages == 4
    nonce, pairs = party.random(policy.profile.nonce_octets), make_pairs(party)
    fields = general_fields(policy)
    fields["accept"] = Field("accept", ("1",), kind="boolean", required=True)
    fields |= technical_fields(policy, nonce, pairs, four=four)
    fields |= _identification_fields(party)
    if policy.subset:
        del fields["sign_algs"]
        fields |= {var: Field(var, (value,), kind="hidden") for var, value in FIXED.items()}
    form = xep_0116.write_request(fields, policy.profile)
    return Opening(xep_0116.read_request(form), pairs)


def general_fields(policy: Policy) -> dict[str, Field]:
    """The fields of XEP-0155 that a request offers, but `accept`."""
    words: xep_0155.LoggingWords = "otr" if policy.subset else "logging"
    var = xep_0155.logging_var(words)
    logging = tuple(xep_0155.logging_word(words, option) for option in policy.logging_offer())
    fields = {
        "FORM_TYPE": Field("FORM_TYPE", (xep_0155.SSN,), kind="hidden"),
        var: _choice(var, logging, required=True),
        "disclosure": _choice("disclosure", policy.disclosure, required=True),
        "security": _choice("security", policy.security, required=True),
    }
    if policy.multisession:
        fields["multisession"] = Field("multisession", ("1",), kind="boolean")
    return fields | {each: _choice(each, options) for each, options in policy.parameters.items()}


def technical_fields(
    policy: Policy, nonce: bytes, pairs: tuple[KeyPair, ...], *, four: bool
) -> dict[str, Field]:
    """The fields of XEP-0116 that a request offers, but how to identify."""
    single = {
        "modp": tuple(map(str, policy.groups)),
        "crypt_algs": policy.ciphers,
        "hash_algs": policy.hashes,
        "compress": COMPRESSIONS,
        "ver": VERSIONS,
    }
    fields = {var: _choice(var, options) for var, options in single.items()}
    fields["stanzas"] = Field("stanzas", options=policy.stanzas, kind="list-multi")
    fields["rekey_freq"] = Field("rekey_freq", (str(policy.rekey_freq),), kind="text-single")
    fields["my_nonce"] = Field("my_nonce", (encode_base64(nonce),), kind="hidden")
    values = [encode_integer(pair.value) for pair in pairs]
    if four:
        hashes = tuple(encode_base64(crypto.digest("sha256", value)) for value in values)
        fields["sas_algs"] = _choice("sas_algs", SAS_ALGORITHMS)
        fields["dhhashes"] = Field("dhhashes", hashes, kind="hidden")
    else:
        fields["dhkeys"] = Field("dhkeys", tuple(map(encode_base64, values)), kind="hidden")
    return fields


def make_pairs(party: Party) -> tuple[KeyPair, ...]:
    """A new key pair for each group that the policy offers."""
    policy, pairs = party.policy, []
    for number in policy.groups:
        chosen = group(number)
        exponent = crypto.private_exponent(
            chosen, party.entropy, whole_range=policy.profile.whole_range_exponents
        )
        pairs.append(KeyPair(exponent, crypto.public_value(chosen, exponent)))
    return tuple(pairs)


def _identification_fields(party: Party) -> dict[str, Field]:
    policy = party.policy
    if policy.profile.name == "gajim":
        # What Gajim writes, though only `none` can be agreed on with it.
        return {
            "init_pubkey": Field("init_pubkey", options=("none", "key", "hash"), kind="list-single"),
            "resp_pubkey": Field("resp_pubkey", options=("none", "key"), kind="list-single"),
            **{var: Field(var, (value,), kind="hidden") for var, value in _GAJIM_FIXED.items()},
        }
    ours = tuple(how for how in policy.init_pubkey if how == "none" or party.signer)
    if not ours:
        raise MisuseError("this policy identifies by a public key, and there is none")
    return {
        "init_pubkey": _choice("init_pubkey", ours),
        "resp_pubkey": _choice("resp_pubkey", policy.resp_pubkey),
        "sign_algs": _choice("sign_algs", SIGNATURES),
    }


def _choice(var: str, options: tuple[str, ...], *, required: bool = False) -> Field:
    return Field(var, options=options, kind="list-single", required=required)
