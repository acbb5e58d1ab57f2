"""The forms that terminate, move and renegotiate a session (XEP-0155 sections 5 to 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum
from typing import Final

from esession.errors import NOT_ACCEPTABLE, MalformedError, RefusedError
from esession.negotiation.terms import Terms, choose_terms, read_terms
from esession.policy import Policy
from esession.suite import Profile
from esession.wire import xep_0155
from esession.wire.xep_0004 import Field, Form

_OTHER_FIELDS: Final = frozenset({"FORM_TYPE", "renegotiate", "reason"})
_FIXED_FIELDS: Final = frozenset(
    {"security", "modp", "crypt_algs", "hash_algs", "sign_algs", "compress", "stanzas", "init_pubkey"}
    | {"resp_pubkey", "ver", "rekey_freq", "my_nonce", "sas_algs", "dhhashes", "dhkeys", "accept"}
)


class ControlKind(Enum):
    """What a control form says."""

    TERMINATION = "terminate"
    ACKNOWLEDGEMENT = "terminate, acknowledged"
    RENEGOTIATION = "renegotiate"
    RENEGOTIATION_ANSWER = "renegotiate, answered"
    MOVE = "continue"
    MOVE_ANSWER = "continue, accepted"


def read_kind(form: Form) -> ControlKind:
    """What a form within a session says.

    Raises:
        MalformedError: Nothing that XEP-0155 knows.
    """
    kinds = {
        ("terminate", "submit"): ControlKind.TERMINATION,
        ("terminate", "result"): ControlKind.ACKNOWLEDGEMENT,
        ("renegotiate", "form"): ControlKind.RENEGOTIATION,
        ("renegotiate", "submit"): ControlKind.RENEGOTIATION_ANSWER,
        ("continue", "submit"): ControlKind.MOVE,
        ("continue", "result"): ControlKind.MOVE_ANSWER,
    }
    for (var, kind), found in kinds.items():
        if var in form and form.kind == kind and not (var == "terminate" and not form.boolean(var)):
            return found
    raise MalformedError("the form is none that is used within a session")


def termination(profile: Profile) -> Form:
    """The form that terminates a session."""
    return xep_0155.control_form("submit", [Field("terminate", ("1",))], profile)


def acknowledgement(profile: Profile) -> Form:
    """The form that acknowledges a termination."""
    return xep_0155.control_form("result", [Field("terminate", ("1",))], profile)


def move(resource: str, profile: Profile) -> Form:
    """The form that asks to go on with another resource."""
    return xep_0155.control_form("submit", [Field("continue", (resource,))], profile)


def move_answer(resource: str, profile: Profile) -> Form:
    """The form that accepts another resource."""
    return xep_0155.control_form("result", [Field("continue", (resource,))], profile)


def renegotiation(fields: Mapping[str, tuple[str, ...]], terms: Terms, profile: Profile) -> Form:
    """The form that asks for other terms; `logging` in the words that were used before.

    Raises:
        MalformedError: A field that can't be renegotiated.
    """
    written = [Field("renegotiate", ("1",), kind="boolean", required=True)]
    for var, options in fields.items():
        if var in _FIXED_FIELDS:
            raise MalformedError(f"{var} can't be renegotiated within a session")
        if var == "logging":
            var = xep_0155.logging_var(terms.words)  # noqa: PLW2901  the same field in other words
            options = tuple(xep_0155.logging_word(terms.words, each) for each in options)  # noqa: PLW2901  the same
        written.append(Field(var, options=options, kind="list-single", required=True))
    form_type = Field("FORM_TYPE", (xep_0155.SSN,), kind="hidden")
    return Form.build("form", [form_type, *written], profile)


def choose(policy: Policy, form: Form, terms: Terms) -> tuple[Terms, Form]:
    """Accept other terms, as our policy chooses.

    Raises:
        RefusedError: Nothing acceptable is offered, or a field that can't be renegotiated.
    """
    fixed = tuple(var for var in form.fields if var in _FIXED_FIELDS)
    if fixed:
        raise RefusedError(NOT_ACCEPTABLE, fixed, f"can't be renegotiated: {', '.join(fixed)}")
    chosen = choose_terms(policy, form, security=terms.security)
    fields = [Field("renegotiate", ("1",)), *chosen.fields().values()]
    return merge(terms, chosen), xep_0155.control_form("submit", fields, policy.profile)


def rejection(terms: Terms, profile: Profile) -> Form:
    """The form that rejects other terms, with those that stay in force."""
    fields: Iterable[Field] = [Field("renegotiate", ("0",)), *terms.fields().values()]
    return xep_0155.control_form("submit", fields, profile)


def read_answer(policy: Policy, asked: Form, answer: Form, terms: Terms) -> Terms | None:
    """The terms after an answer to our renegotiation; None if it was rejected.

    Raises:
        RefusedError: It chooses what was not offered.
    """
    if not answer.boolean("renegotiate"):
        return None
    wrong: list[str] = []
    chosen = read_terms(policy, asked, answer, wrong)
    if wrong:
        text = f"a renegotiation chose what was not offered: {', '.join(wrong)}"
        raise RefusedError(NOT_ACCEPTABLE, tuple(wrong), text)
    return merge(terms, chosen)


def offered(form: Form) -> dict[str, tuple[str, ...]]:
    """The options of a renegotiation, by field; `logging` in the words of XEP-0155."""
    found = {var: field.offered for var, field in form.fields.items() if var not in _OTHER_FIELDS}
    logging = xep_0155.read_logging(form)
    if logging:
        found.pop("otr", None)
        found["logging"] = logging.options
    return found


def merge(before: Terms, chosen: Terms) -> Terms:
    """The terms in force after a renegotiation: what was not renegotiated stays (XEP-0155 section 6)."""
    return replace(
        before,
        logging=chosen.logging if chosen.logging is not None else before.logging,
        disclosure=chosen.disclosure if chosen.disclosure is not None else before.disclosure,
        multisession=before.multisession or chosen.multisession,
        parameters={**before.parameters, **chosen.parameters},
    )
