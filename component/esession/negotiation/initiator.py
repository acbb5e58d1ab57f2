"""The initiator's side of a negotiation (XEP-0116 sections 4.3, 4.6 and 4.8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from esession import crypto
from esession.channel import KeyPair, Position
from esession.errors import (
    FEATURE_NOT_IMPLEMENTED,
    NOT_ACCEPTABLE,
    MalformedError,
    RefusedError,
)
from esession.groups import encode_integer, group
from esession.keys import RSAPublicKey
from esession.negotiation import derivation, identity
from esession.negotiation.derivation import RoleKeys
from esession.negotiation.established import Established, Party, make_channel, responder_counter
from esession.negotiation.identity import Claim
from esession.negotiation.offer import Opening
from esession.negotiation.terms import Terms, read_choice
from esession.secret import Secret
from esession.storage import RetainedSecret
from esession.suite import Suite
from esession.wire import xep_0116, xep_0155
from esession.wire.xep_0004 import Field, Form, encode_base64
from esession.wire.xep_0116 import Response

_LEAST_DECOYS: Final = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """A response whose choices are acceptable, not yet answered."""

    response: Response
    suite: Suite
    terms: Terms
    pair: KeyPair


@dataclass(frozen=True, slots=True)
class Proved:
    """We have proved our identity and wait for the responder's (4 messages)."""

    choice: Choice
    secret: Secret
    sas: str
    sent: RoleKeys
    after: Position
    claim_nonces: bytes = field(repr=False)
    response_form: bytes = field(repr=False)
    offered: tuple[RetainedSecret, ...] = ()

    def wipe(self) -> None:
        """Destroy everything secret."""
        self.secret.wipe()
        self.sent.wipe()
        self.choice.pair.exponent.wipe()


def read_choices(party: Party, opening: Opening, form: Form, *, offline: bool = False) -> Choice:
    """Check a response's choices (XEP-0116 section 4.6.1).

    Raises:
        RefusedError: They are not acceptable.
    """
    response = _read(form)
    if not crypto.same(response.echoed, opening.request.nonce):
        raise RefusedError(NOT_ACCEPTABLE, ("nonce",), "the response is to another request")
    suite, terms = read_choice(party.policy, opening.request, form, offline=offline)
    chosen = group(suite.group)
    if not chosen.is_public_value(response.value):
        raise RefusedError(NOT_ACCEPTABLE, ("dhkeys",), "the response's Diffie-Hellman value is out of range")
    pair = opening.pairs[opening.request.groups.index(str(suite.group))]
    return Choice(response, suite, terms, pair)


def first_keys(choice: Choice) -> tuple[Secret, RoleKeys]:
    """K and the initiator's first keys (XEP-0116 section 4.6.1)."""
    shared = crypto.shared_value(group(choice.suite.group), choice.pair.exponent, choice.response.value)
    secret = derivation.first_secret(choice.suite, shared)
    return secret, derivation.role_keys(choice.suite, secret, "Initiator")


def prove(
    party: Party, opening: Opening, choice: Choice, secrets: list[RetainedSecret]
) -> tuple[Proved, Form]:
    """Prove our identity in a negotiation of 4 messages (XEP-0116 sections 4.6.3 and 4.6.4)."""
    suite, request = choice.suite, opening.request
    secret, keys = first_keys(choice)
    hashes = [derivation.retained_hash(suite, request.nonce, each.value) for each in secrets]
    form = _completion(choice, terminate=False, extra=_commitments(party, choice.pair, hashes))
    at = Position(choice.response.counter)
    claim = _own_claim(opening, choice, form)
    proof = identity.prove(suite, keys, at, claim, suite.init_pubkey, party.signer)
    response_form = choice.response.form.normalized(suite.profile)
    proved = Proved(
        choice,
        secret,
        derivation.short_authentication_string(suite, proof.mac, response_form),
        keys,
        proof.after,
        request.nonce + choice.response.nonce,
        response_form,
        tuple(secrets),
    )
    return proved, xep_0116.with_proof(form, proof.identity, proof.mac, suite.profile)


def conclude(party: Party, proved: Proved, form: Form, peer: str) -> Established:
    """Check the responder's identity, and make the final keys (XEP-0116 section 4.8).

    Raises:
        RefusedError: The proof doesn't hold.
    """
    choice, suite = proved.choice, proved.choice.suite
    try:
        echoed, named = form.octets("nonce"), form.octets("srshash")
        encrypted, mac = form.octets("identity"), form.octets("mac")
    except MalformedError as error:
        raise RefusedError(FEATURE_NOT_IMPLEMENTED, ("identity",), str(error)) from None
    if not crypto.same(echoed, proved.claim_nonces[: -len(choice.response.nonce)]):
        raise RefusedError(FEATURE_NOT_IMPLEMENTED, ("nonce",), "the proof is of another negotiation")
    shared = None
    for each in proved.offered:
        if crypto.same(derivation.shared_retained_hash(suite, each.value), named):
            shared = each
    final = derivation.final_secret(
        suite, proved.secret, shared.value if shared else None, party.other_secret
    )
    ours = derivation.role_keys(suite, final, "Initiator")
    theirs = derivation.role_keys(suite, final, "Responder")
    at = Position(responder_counter(choice.response.counter))
    identity.check_integrity(suite, theirs, at, encrypted, mac)
    forms = proved.response_form + form.normalized(suite.profile)
    claim = Claim(proved.claim_nonces, choice.response.value, forms)
    find = party.finder(peer, suite.hash)
    key, after = identity.check(suite, theirs, at, claim, suite.resp_pubkey, encrypted, find)
    new_secret = derivation.new_retained_secret(suite, final)
    final.wipe()
    made = make_channel(suite, (ours, proved.after), (theirs, after), choice.pair, choice.response.value)
    return Established(
        made, choice.terms, key, proved.sas, shared, had_secrets=bool(proved.offered), new_secret=new_secret
    )


def complete_three(
    party: Party, opening: Opening, choice: Choice, peer: str, *, terminate: bool
) -> tuple[Established, Form]:
    """Check the responder's identity and prove ours, in a negotiation of 3 messages.

    See XEP-0116 sections 4.6.2 to 4.6.4.

    Raises:
        RefusedError: The proof doesn't hold.
    """
    suite, response = choice.suite, choice.response
    secret, ours = first_keys(choice)
    key, theirs, after = check_responder(party, opening, choice, secret, peer)
    form = _completion(choice, terminate=terminate, extra={})
    claim = _own_claim(opening, choice, form)
    at = Position(response.counter)
    proof = identity.prove(suite, ours, at, claim, suite.init_pubkey, party.signer)
    secret.wipe()
    made = make_channel(suite, (ours, proof.after), (theirs, after), choice.pair, response.value)
    return Established(made, choice.terms, key), xep_0116.with_proof(
        form, proof.identity, proof.mac, suite.profile
    )


def check_responder(
    party: Party, opening: Opening, choice: Choice, secret: Secret, peer: str
) -> tuple[RSAPublicKey | None, RoleKeys, Position]:
    """Check the identity in a response of 3 messages (XEP-0116 section 4.6.2), or in an offline one."""
    suite, response = choice.suite, choice.response
    if response.identity is None or response.mac is None:
        raise RefusedError(FEATURE_NOT_IMPLEMENTED, ("identity",), "the response holds no identity")
    theirs = derivation.role_keys(suite, secret, "Responder")
    at = Position(responder_counter(response.counter))
    identity.check_integrity(suite, theirs, at, response.identity, response.mac)
    claim = Claim(
        opening.request.nonce + response.nonce, response.value, response.form.normalized(suite.profile)
    )
    find = party.finder(peer, suite.hash)
    key, after = identity.check(suite, theirs, at, claim, suite.resp_pubkey, response.identity, find)
    return key, theirs, after


def _own_claim(opening: Opening, choice: Choice, completion: Form) -> Claim:
    profile = choice.suite.profile
    forms = opening.request.form.normalized(profile) + completion.normalized(profile)
    return Claim(choice.response.nonce + opening.request.nonce, choice.pair.value, forms)


def _completion(choice: Choice, *, terminate: bool, extra: dict[str, Field]) -> Form:
    fields = {
        "FORM_TYPE": xep_0155.form_type(),
        "accept": Field("accept", ("1",)),
        "nonce": Field("nonce", (encode_base64(choice.response.nonce),)),
        **extra,
    }
    if terminate:
        fields["terminate"] = Field("terminate", ("1",))
    return xep_0116.write_completion(fields, choice.suite.profile)


def _commitments(party: Party, pair: KeyPair, hashes: list[bytes]) -> dict[str, Field]:
    """The opened commitment, and the hashes of retained secrets among decoys.

    Sorting hides which are which, and in which order they are kept.
    """
    if party.policy.profile.name == "gajim":
        decoys = 0 if hashes else 1
    else:
        decoys = _LEAST_DECOYS + party.random(1)[0] % 4
    hashes = sorted([*hashes, *(party.random(32) for _ in range(decoys))])
    return {
        "dhkeys": Field("dhkeys", (encode_base64(encode_integer(pair.value)),)),
        "rshashes": Field("rshashes", tuple(map(encode_base64, hashes))),
    }


def _read(form: Form) -> Response:
    try:
        return xep_0116.read_response(form)
    except MalformedError as error:
        raise RefusedError(NOT_ACCEPTABLE, ("dhkeys",), str(error)) from None
