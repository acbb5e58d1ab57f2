"""Choosing among offered options, and checking what was chosen (XEP-0116 sections 4.4 to 4.6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, get_args

from esession.errors import FEATURE_NOT_IMPLEMENTED, NOT_ACCEPTABLE, RefusedError
from esession.policy import Policy
from esession.suite import (
    COMPRESSIONS,
    NO_REKEYING,
    SAS_ALGORITHMS,
    SIGNATURES,
    VERSIONS,
    Identification,
    Suite,
)
from esession.wire import xep_0155
from esession.wire.xep_0004 import Field, Form
from esession.wire.xep_0116 import Request, read_rekey_freq
from esession.wire.xep_0155 import LoggingWords
from esession.wire.xep_0217 import FIXED

_TECHNICAL: Final = frozenset(
    {"modp", "crypt_algs", "hash_algs", "sign_algs", "compress", "stanzas", "init_pubkey", "resp_pubkey"}
    | {"ver", "rekey_freq", "my_nonce", "sas_algs", "dhhashes", "dhkeys", "FORM_TYPE", "accept"}
)
_GENERAL: Final = frozenset(
    {"logging", "otr", "disclosure", "security", "multisession", "renegotiate", "reason"}
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the parties agreed on besides the cryptography (XEP-0155 section 8).

    Attributes:
        security: `e2e`, or `c2s` or `none` for a session that isn't encrypted.
        logging: `may` or `mustnot`; None where it was not negotiated.
        disclosure: `never`, `disabled` or `enabled`; None where it was not negotiated.
        multisession: Whether several sessions between the two resources are allowed.
        parameters: The other negotiated fields.
        words: In which document's words `logging` was negotiated.
    """

    security: str = "e2e"
    logging: str | None = None
    disclosure: str | None = None
    multisession: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    words: LoggingWords = "logging"

    def fields(self) -> dict[str, Field]:
        """The agreed values as fields of a response."""
        found: dict[str, Field] = {}
        if self.logging is not None:
            var = xep_0155.logging_var(self.words)
            found[var] = Field(var, (xep_0155.logging_word(self.words, self.logging),))
        if self.disclosure is not None:
            found["disclosure"] = Field("disclosure", (self.disclosure,))
        if self.multisession:
            found["multisession"] = Field("multisession", ("1",))
        found |= {var: Field(var, (value,)) for var, value in self.parameters.items()}
        return found


def choose_terms(policy: Policy, form: Form, *, security: str) -> Terms:
    """Choose the general terms of a request.

    Args:
        policy: What this side accepts.
        form: The request's form.
        security: The level that has been chosen.

    Raises:
        RefusedError: A required field isn't known, or nothing offered is acceptable.
    """
    unknown = [
        var
        for var, each in form.fields.items()
        if each.required and var not in _TECHNICAL | _GENERAL and var not in policy.parameters
    ]
    if unknown:
        text = f"required, but not implemented: {', '.join(unknown)}"
        raise RefusedError(FEATURE_NOT_IMPLEMENTED, tuple(unknown), text)
    refused: list[str] = []
    offer = xep_0155.read_logging(form)
    logging = policy.logging_answer(offer.options) if offer else None
    if logging is None and (offer or not policy.logging_answer(("may",))):
        refused.append(xep_0155.logging_var(offer.words) if offer else "logging")
    disclosure = _first(form, "disclosure", policy.disclosure, refused)
    parameters: dict[str, str] = {}
    for var, acceptable in policy.parameters.items():
        if var in form:
            value = _first(form, var, acceptable, refused if form.fields[var].required else [])
            if value is not None:
                parameters[var] = value
    if refused:
        raise RefusedError(NOT_ACCEPTABLE, tuple(refused), f"nothing acceptable for {', '.join(refused)}")
    return Terms(
        security=security,
        logging=logging,
        disclosure=disclosure,
        multisession=policy.multisession and form.boolean("multisession") is True,
        parameters=parameters,
        words=offer.words if offer else "logging",
    )


def choose_suite(
    policy: Policy, request: Request, *, can_sign: bool, knows_peer: bool, offline: bool = False
) -> Suite:
    """Choose one of each of the initiator's technical options, the first acceptable one.

    Args:
        policy: What this side accepts.
        request: What is offered.
        can_sign: Whether we have a signing key.
        knows_peer: Whether we know a public key of the peer, so that its fingerprint will do.
        offline: Whether these are published options, which don't offer how to identify: the responder
            shows its key, and the initiator has signed them (XEP-0187 section 3.3).

    Raises:
        RefusedError: Nothing acceptable, or a negotiation of 3 messages that isn't supported.
    """
    four = request.has_four_messages
    if not four and not policy.accept_three_messages and not offline:
        raise RefusedError(
            FEATURE_NOT_IMPLEMENTED, ("dhkeys",), "negotiations of 3 messages are not supported"
        )
    if policy.subset:
        _require_fixed(request)
        policy = replace(policy, ciphers=(FIXED["crypt_algs"],), hashes=(FIXED["hash_algs"],))
    refused: list[str] = []
    form = request.form
    init_pubkey: str | None
    resp_pubkey: str | None
    chosen: dict[str, str | None] = {
        "modp": _first(form, "modp", tuple(map(str, policy.groups)), refused),
        "crypt_algs": _first(form, "crypt_algs", policy.ciphers, refused),
        "hash_algs": _first(form, "hash_algs", policy.hashes, refused),
        "compress": _first(form, "compress", COMPRESSIONS, refused),
        "ver": _first(form, "ver", VERSIONS, refused),
    }
    if four:
        _first(form, "sas_algs", SAS_ALGORITHMS, refused)
    stanzas = frozenset(request.offered("stanzas")) & frozenset(policy.stanzas)
    if not stanzas:
        refused.append("stanzas")
    wanted_init, wanted_resp = _identifications(policy, four=four, can_sign=can_sign, knows_peer=knows_peer)
    if offline:
        init_pubkey, resp_pubkey = "none", "key"
    else:
        init_pubkey = _first(form, "init_pubkey", wanted_init, refused, ours_first=True)
        resp_pubkey = _first(form, "resp_pubkey", wanted_resp, refused)
        chosen |= {"init_pubkey": init_pubkey, "resp_pubkey": resp_pubkey}
    if {init_pubkey, resp_pubkey} - {"none", None}:
        _first(form, "sign_algs", SIGNATURES, refused)
    missing = [var for var, value in chosen.items() if value is None and var not in refused]
    if refused or missing:
        fields = (*refused, *missing)
        raise RefusedError(NOT_ACCEPTABLE, fields, f"nothing acceptable for {', '.join(fields)}")
    own_freq = NO_REKEYING if policy.subset else policy.rekey_freq
    return Suite(
        profile=policy.profile,
        group=int(chosen["modp"] or 0),
        cipher=chosen["crypt_algs"] or "",
        hash=chosen["hash_algs"] or "",
        init_pubkey=_identification(init_pubkey),
        resp_pubkey=_identification(resp_pubkey),
        stanzas=stanzas,
        rekey_freq=request.rekey_freq
        if policy.profile.name == "gajim"
        else max(request.rekey_freq, own_freq),
    )


def read_choice(
    policy: Policy, request: Request, form: Form, *, offline: bool = False
) -> tuple[Suite, Terms]:
    """Check that a response chooses only what the request offered (XEP-0116 section 4.6.1).

    Raises:
        RefusedError: It chooses something else, with the fields in question.
    """
    wrong: list[str] = []

    def taken(var: str) -> str:
        offered = request.offered(var)
        # A peer of the subset may leave out what it has only one value for.
        value = form.chosen.get(var, offered[0] if len(offered) == 1 and var not in form else None)
        if value not in offered:
            wrong.append(var)
        return value or ""

    values = {var: taken(var) for var in ("modp", "crypt_algs", "hash_algs", "compress", "ver")}
    if offline:
        values |= {"init_pubkey": "none", "resp_pubkey": "key"}
    else:
        values |= {var: taken(var) for var in ("init_pubkey", "resp_pubkey")}
    if request.has_four_messages:
        taken("sas_algs")
    if {values["init_pubkey"], values["resp_pubkey"]} - {"none"}:
        taken("sign_algs")
    chosen = form.fields.get("stanzas")
    stanzas = frozenset(chosen.values) if chosen else frozenset(request.offered("stanzas"))
    if not stanzas or not stanzas <= frozenset(request.offered("stanzas")):
        wrong.append("stanzas")
    freq = read_rekey_freq(form) if "rekey_freq" in form else request.rekey_freq
    if freq < request.rekey_freq:
        wrong.append("rekey_freq")
    terms = read_terms(policy, request.form, form, wrong)
    if wrong:
        raise RefusedError(NOT_ACCEPTABLE, tuple(wrong), f"not what was offered: {', '.join(wrong)}")
    suite = Suite(
        profile=policy.profile,
        group=int(values["modp"]),
        cipher=values["crypt_algs"],
        hash=values["hash_algs"],
        init_pubkey=_identification(values["init_pubkey"]),
        resp_pubkey=_identification(values["resp_pubkey"]),
        stanzas=stanzas,
        rekey_freq=freq,
    )
    return suite, terms


def read_terms(policy: Policy, request: Form, form: Form, wrong: list[str]) -> Terms:
    """The general terms that a response chooses.

    Args:
        policy: What this side accepts.
        request: The request's form.
        form: The response's form.
        wrong: Takes the fields whose value was not offered, or is missing though required.
    """
    parameters: dict[str, str] = {}
    for var, each in request.fields.items():
        if var in _TECHNICAL or var in {"multisession", "renegotiate"}:
            continue
        value = form.chosen.get(var)
        if (value is None and (each.required or var in form)) or (
            value is not None and value not in each.offered
        ):
            wrong.append(var)
        elif value is not None and var not in _GENERAL:
            parameters[var] = value
    offer = xep_0155.read_logging(form)
    return Terms(
        security=form.chosen.get("security", "none"),
        logging=offer.options[0] if offer else None,
        disclosure=form.chosen.get("disclosure"),
        multisession=policy.multisession and form.boolean("multisession") is True,
        parameters=parameters,
        words=offer.words if offer else "logging",
    )


def _identifications(
    policy: Policy, *, four: bool, can_sign: bool, knows_peer: bool
) -> tuple[tuple[Identification, ...], tuple[Identification, ...]]:
    if not policy.profile.negotiates_keys or policy.subset:
        return ("none",), ("none",)
    init = tuple(how for how in policy.init_pubkey if four or how != "none")
    if knows_peer:
        # A fingerprint saves bandwidth where the key is known (XEP-0116 section 4.3, note 5).
        init = tuple(sorted(init, key=lambda how: how != "hash"))
    else:
        init = tuple(how for how in init if how != "hash")
    resp = tuple(how for how in policy.resp_pubkey if (can_sign or how == "none") and (four or how != "none"))
    return init, resp


def _require_fixed(request: Request) -> None:
    wrong = tuple(
        var for var, value in FIXED.items() if var != "rekey_freq" and value not in request.offered(var)
    )
    if wrong:
        raise RefusedError(NOT_ACCEPTABLE, wrong, f"only the fixed values are supported: {', '.join(wrong)}")


def _first(
    form: Form, var: str, acceptable: Collection[str], refused: list[str], *, ours_first: bool = False
) -> str | None:
    """The first option that both sides like; a field that offers none of them goes to `refused`."""
    if var not in form:
        return None
    offered = form.fields[var].offered
    one, other = (acceptable, offered) if ours_first else (offered, acceptable)
    for option in one:
        if option in other:
            return option
    refused.append(var)
    return None


def _identification(value: str | None) -> Identification:
    for known in get_args(Identification):
        if value == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped
    return "none"
