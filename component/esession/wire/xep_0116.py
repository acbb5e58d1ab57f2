"""The forms of encrypted session negotiation (XEP-0116): which fields, in which order, with which types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from esession.errors import NOT_ACCEPTABLE, MalformedError, RefusedError
from esession.groups import decode_integer, encode_integer
from esession.suite import BLOCK_OCTETS, COUNTERS, NO_REKEYING, Profile
from esession.wire.xep_0004 import Field, Form, encode_base64

_REQUEST_ORDER: Final = (
    "FORM_TYPE",
    "accept",
    "logging",
    "otr",
    "disclosure",
    "security",
    "modp",
    "crypt_algs",
    "hash_algs",
    "sign_algs",
    "compress",
    "stanzas",
    "init_pubkey",
    "resp_pubkey",
    "ver",
    "rekey_freq",
    "multisession",
)
_GAJIM_ORDER: Final = (
    "FORM_TYPE",
    "accept",
    "logging",
    "disclosure",
    "security",
    "crypt_algs",
    "hash_algs",
    "compress",
    "stanzas",
    "init_pubkey",
    "resp_pubkey",
    "ver",
    "rekey_freq",
    "sas_algs",
    "sign_algs",
)
_REQUEST_END: Final = {
    "xep": ("my_nonce", "sas_algs", "dhhashes", "dhkeys", "expires", "match_resource"),
    "gajim": ("my_nonce", "modp", "dhhashes"),
}
_RESPONSE_END: Final = {
    "xep": ("my_nonce", "sas_algs", "dhkeys", "nonce", "counter", "terminate"),
    "gajim": ("modp", "my_nonce", "dhkeys", "counter", "nonce"),
}
_COMPLETION_ORDER: Final = {
    "xep": ("FORM_TYPE", "accept", "nonce", "dhkeys", "rshashes", "terminate"),
    "gajim": ("FORM_TYPE", "accept", "nonce", "rshashes", "dhkeys"),
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a request, or a set of published options, says.

    Attributes:
        form: The form.
        nonce: The initiator's session id.
        groups: The MODP groups offered, as their numbers stand in the form.
        hashes: The commitments to the public values, in the order of the groups (4 messages).
        values: The public values, in the order of the groups (3 messages).
        rekey_freq: Least number of stanzas between two key exchanges.
    """

    form: Form
    nonce: bytes
    groups: tuple[str, ...]
    hashes: tuple[bytes, ...] = field(repr=False)
    values: tuple[int, ...] = field(repr=False)
    rekey_freq: int

    @property
    def has_four_messages(self) -> bool:
        """Whether the initiator commits itself by hashes, for a negotiation of 4 messages."""
        return bool(self.hashes)

    def offered(self, var: str) -> tuple[str, ...]:
        """The options of a field, in the initiator's order of preference; none where it has no such field."""
        found = self.form.fields.get(var)
        return found.offered if found else ()


@dataclass(frozen=True, slots=True)
class Response:
    """What a response says besides the chosen options.

    Attributes:
        form: The form.
        nonce: The responder's session id.
        echoed: The initiator's session id.
        value: The responder's public value.
        counter: The initiator's block counter.
        identity: The encrypted identity (3 messages), else None.
        mac: Its MAC.
        terminate: Whether the session is over with this stanza.
    """

    form: Form
    nonce: bytes
    echoed: bytes
    value: int = field(repr=False)
    counter: int = field(repr=False)
    identity: bytes | None = field(repr=False)
    mac: bytes | None = field(repr=False)
    terminate: bool


def is_encrypted_request(form: Form) -> bool:
    """Whether a request's form is about an encrypted session."""
    return "my_nonce" in form or "dhhashes" in form or "dhkeys" in form


def write_request(fields: Mapping[str, Field], profile: Profile) -> Form:
    """A request or published options, with the fields in the profile's order."""
    order = (_GAJIM_ORDER if profile.name == "gajim" else _REQUEST_ORDER, _REQUEST_END[profile.name])
    return Form.build("form", _in_order(fields, *order), profile)


def read_request(form: Form) -> Request:
    """Read a request's form.

    Raises:
        MalformedError: It isn't one, or its lists don't fit each other.
    """
    if form.kind != "form":
        raise MalformedError("a request is a form of type 'form'")
    hashes = form.all_octets("dhhashes")
    values = tuple(decode_integer(octets) for octets in form.all_octets("dhkeys"))
    modp = form.fields.get("modp")
    groups = modp.offered if modp else ()
    if bool(hashes) == bool(values):
        raise MalformedError("a request holds either dhhashes or dhkeys")
    if len(groups) != len(hashes or values) or len(set(groups)) != len(groups):
        raise MalformedError("a request needs one value for each MODP group")
    return Request(form, form.octets("my_nonce"), groups, hashes, values, read_rekey_freq(form))


def write_response(fields: Mapping[str, Field], profile: Profile) -> Form:
    """A response without identity and mac, with the fields in the profile's order."""
    order = _GAJIM_ORDER if profile.name == "gajim" else _REQUEST_ORDER
    return Form.build("submit", _in_order(fields, order, _RESPONSE_END[profile.name]), profile)


def read_response(form: Form) -> Response:
    """Read a response's form.

    Raises:
        MalformedError: It isn't one.
    """
    if form.kind != "submit":
        raise MalformedError("a response is a form of type 'submit'")
    if "dhhashes" in form:
        raise MalformedError("a response holds no dhhashes")
    return Response(
        form,
        form.octets("my_nonce"),
        form.octets("nonce"),
        decode_integer(form.octets("dhkeys")),
        read_counter(form),
        form.octets("identity") if "identity" in form else None,
        form.octets("mac") if "mac" in form else None,
        form.boolean("terminate") is True,
    )


def write_completion(fields: Mapping[str, Field], profile: Profile) -> Form:
    """A completion without identity and mac."""
    return Form.build("result", _in_order(fields, _COMPLETION_ORDER[profile.name], ()), profile)


def with_proof(form: Form, identity: bytes, mac: bytes, profile: Profile) -> Form:
    """The form with the encrypted identity appended."""
    fields = [Field("identity", (encode_base64(identity),)), Field("mac", (encode_base64(mac),))]
    return form.with_fields(fields, profile)


def write_counter(counter: int, profile: Profile) -> Field:
    """The `counter` field: an n-bit number, of which only profile `gajim` strips leading zeros."""
    octets = encode_integer(counter) if profile.strips_counters else counter.to_bytes(BLOCK_OCTETS, "big")
    return Field("counter", (encode_base64(octets),))


def read_counter(form: Form) -> int:
    """The `counter` field."""
    counter = decode_integer(form.octets("counter"))
    if counter >= COUNTERS:
        raise MalformedError("a block counter has at most 128 bits")
    return counter


def read_rekey_freq(form: Form) -> int:
    """The `rekey_freq` field; 1 where there is none."""
    text = form.optional("rekey_freq") or "1"
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:11]) <= NO_REKEYING:
        raise RefusedError(NOT_ACCEPTABLE, ("rekey_freq",), "rekey_freq is at least 1 and below 2^32")
    return int(text)


def _in_order(fields: Mapping[str, Field], start: tuple[str, ...], end: tuple[str, ...]) -> list[Field]:
    middle = [var for var in fields if var not in start and var not in end]
    return [fields[var] for var in (*start, *middle, *end) if var in fields]
