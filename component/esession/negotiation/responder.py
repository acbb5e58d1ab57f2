"""The responder's side of a negotiation (XEP-0116 sections 4.5 and 4.7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from esession import crypto
from esession.channel import KeyPair, Position
from esession.errors import FEATURE_NOT_IMPLEMENTED, MalformedError, RefusedError
from esession.groups import decode_integer, encode_integer, group
from esession.negotiation import derivation, identity
from esession.negotiation.derivation import RoleKeys
from esession.negotiation.established import Established, Party, make_channel, responder_counter
from esession.negotiation.identity import Claim
from esession.negotiation.terms import Terms, choose_suite, choose_terms
from esession.secret import Secret
from esession.storage import RetainedSecret
from esession.suite import BLOCK_OCTETS, SAS_ALGORITHMS, SIGNATURES, VERSIONS, Suite
from esession.wire import xep_0116, xep_0155
from esession.wire.xep_0004 import Field, Form, encode_base64
from esession.wire.xep_0116 import Request

_MOST_HASHES: Final = 256


@dataclass(frozen=True, slots=True)
class Answered:
    """A response that has been made, and what its completion will be checked with."""

    request: Request
    suite: Suite
    terms: Terms
    nonce: bytes
    counter: int = field(repr=False)
    pair: KeyPair
    form: Form = field(repr=False)
    keys: tuple[RoleKeys, RoleKeys] | None = None
    after: Position | None = None

    def wipe(self) -> None:
        """Destroy everything secret."""
        self.pair.exponent.wipe()
        for keys in self.keys or ():
            keys.wipe()


@dataclass(frozen=True, slots=True)
class Completion:
    """What the initiator's completion proved.

    Attributes:
        established: The session.
        final: The form to answer with; None after a negotiation of 3 messages.
        terminate: Whether the session is over with this stanza.
    """

    established: Established
    final: Form | None
    terminate: bool = False


def answer(party: Party, request: Request, peer: str) -> tuple[Answered, Form]:
    """Choose among the options and make a response (XEP-0116 section 4.5).

    Raises:
        RefusedError: Nothing acceptable is offered.
    """
    suite = choose_suite(
        party.policy, request, can_sign=party.signer is not None, knows_peer=party.knows(peer)
    )
    terms = choose_terms(party.policy, request.form, security="e2e")
    if request.has_four_messages:
        return prepare(party, request, suite, terms, terminate=False)
    answered, form = prepare(party, request, suite, terms, terminate=False)
    return prove(party, answered, form)


def prepare(
    party: Party, request: Request, suite: Suite, terms: Terms, *, terminate: bool, offline: bool = False
) -> tuple[Answered, Form]:
    """Draw our values and write the response form (XEP-0116 sections 4.5.1 and 4.5.2)."""
    profile, chosen = suite.profile, group(suite.group)
    nonce = party.random(profile.nonce_octets)
    counter = decode_integer(party.random(BLOCK_OCTETS))
    exponent = crypto.private_exponent(chosen, party.entropy, whole_range=profile.whole_range_exponents)
    pair = KeyPair(exponent, crypto.public_value(chosen, exponent))
    fields = _response_fields(request, suite, terms)
    fields["my_nonce"] = Field("my_nonce", (encode_base64(nonce),))
    fields["dhkeys"] = Field("dhkeys", (encode_base64(encode_integer(pair.value)),))
    fields["nonce"] = Field("nonce", (encode_base64(request.nonce),))
    fields["counter"] = xep_0116.write_counter(counter, profile)
    if terminate:
        fields["terminate"] = Field("terminate", ("1",))
    if offline:
        # Published options have neither field: Alice has identified herself, and Bob shows his key.
        for var in ("accept", "init_pubkey", "resp_pubkey"):
            del fields[var]
    form = xep_0116.write_response(fields, profile)
    return Answered(request, suite, terms, nonce, counter, pair, form), form


def prove(party: Party, answered: Answered, form: Form) -> tuple[Answered, Form]:
    """Prove our identity in the response itself (3 messages, XEP-0116 section 4.5.4).

    Raises:
        RefusedError: The initiator's value is out of range.
    """
    request, suite = answered.request, answered.suite
    value = request.values[request.groups.index(str(suite.group))]
    secret = _first_secret(answered, value)
    ours = derivation.role_keys(suite, secret, "Responder")
    theirs = derivation.role_keys(suite, secret, "Initiator")
    secret.wipe()
    claim = Claim(request.nonce + answered.nonce, answered.pair.value, form.normalized(suite.profile))
    at = Position(responder_counter(answered.counter))
    proof = identity.prove(suite, ours, at, claim, suite.resp_pubkey, party.signer)
    proven = Answered(
        request,
        suite,
        answered.terms,
        answered.nonce,
        answered.counter,
        answered.pair,
        form,
        (ours, theirs),
        proof.after,
    )
    return proven, xep_0116.with_proof(form, proof.identity, proof.mac, suite.profile)


def establish(party: Party, answered: Answered, form: Form, peer: str, now: datetime) -> Completion:
    """Check the initiator's completion, and prove our identity if that is still to do.

    See XEP-0116 section 4.7.

    Raises:
        RefusedError: The proof doesn't hold.
    """
    try:
        if not crypto.same(form.octets("nonce"), answered.nonce):
            raise RefusedError(
                FEATURE_NOT_IMPLEMENTED, ("nonce",), "the completion is of another negotiation"
            )
        if answered.request.has_four_messages:
            return _establish_four(party, answered, form, peer, now)
        return _establish_three(party, answered, form, peer)
    except MalformedError as error:
        raise RefusedError(FEATURE_NOT_IMPLEMENTED, ("identity",), str(error)) from None


def _establish_three(party: Party, answered: Answered, form: Form, peer: str) -> Completion:
    suite, request = answered.suite, answered.request
    if answered.keys is None or answered.after is None:
        raise MalformedError("the response proved no identity")
    ours, theirs = answered.keys
    value = request.values[request.groups.index(str(suite.group))]
    encrypted, mac = form.octets("identity"), form.octets("mac")
    at = Position(answered.counter)
    identity.check_integrity(suite, theirs, at, encrypted, mac)
    find = party.finder(peer, suite.hash)
    claim = _initiator_claim(answered, form, value)
    key, after = identity.check(suite, theirs, at, claim, suite.init_pubkey, encrypted, find)
    made = make_channel(suite, (ours, answered.after), (theirs, after), answered.pair, value)
    return Completion(
        Established(made, answered.terms, key), None, terminate=form.boolean("terminate") is True
    )


def _establish_four(party: Party, answered: Answered, form: Form, peer: str, now: datetime) -> Completion:
    suite, request = answered.suite, answered.request
    octets = form.octets("dhkeys")
    committed = request.hashes[request.groups.index(str(suite.group))]
    value = decode_integer(octets)
    if not crypto.same(crypto.digest("sha256", encode_integer(value)), committed):
        raise RefusedError(FEATURE_NOT_IMPLEMENTED, ("dhkeys",), "the opened value is not the committed one")
    secret = _first_secret(answered, value)
    first = derivation.role_keys(suite, secret, "Initiator")
    encrypted, mac = form.octets("identity"), form.octets("mac")
    at = Position(answered.counter)
    identity.check_integrity(suite, first, at, encrypted, mac)
    find = party.finder(peer, suite.hash)
    claim = _initiator_claim(answered, form, value)
    key, after = identity.check(suite, first, at, claim, suite.init_pubkey, encrypted, find)
    first.wipe()
    shared = _find_shared(party, answered, form.all_octets("rshashes"), peer, now)
    final = derivation.final_secret(suite, secret, shared.value if shared else None, party.other_secret)
    secret.wipe()
    theirs = derivation.role_keys(suite, final, "Initiator")
    ours = derivation.role_keys(suite, final, "Responder")
    form_b2 = _final_form(party, answered, shared)
    forms = answered.form.normalized(suite.profile) + form_b2.normalized(suite.profile)
    own = Claim(request.nonce + answered.nonce, answered.pair.value, forms)
    own_at = Position(responder_counter(answered.counter))
    proof = identity.prove(suite, ours, own_at, own, suite.resp_pubkey, party.signer)
    sas = derivation.short_authentication_string(suite, mac, answered.form.normalized(suite.profile))
    new_secret = derivation.new_retained_secret(suite, final)
    final.wipe()
    established = Established(
        make_channel(suite, (ours, proof.after), (theirs, after), answered.pair, value),
        answered.terms,
        key,
        sas,
        shared,
        had_secrets=bool(party.usable_secrets(peer, now)),
        new_secret=new_secret,
    )
    return Completion(established, xep_0116.with_proof(form_b2, proof.identity, proof.mac, suite.profile))


def _find_shared(
    party: Party, answered: Answered, named: tuple[bytes, ...], peer: str, now: datetime
) -> RetainedSecret | None:
    """Find the retained secret that the initiator names, first among its own (XEP-0116 section 4.7.3)."""
    suite, nonce = answered.suite, answered.request.nonce
    if len(named) > _MOST_HASHES:
        raise RefusedError(FEATURE_NOT_IMPLEMENTED, ("rshashes",), "too many retained secrets are named")
    for source in (party.usable_secrets(peer, now), party.usable_secrets_elsewhere(peer, now)):
        for each in source:
            hashed = derivation.retained_hash(suite, nonce, each.value)
            # Every comparison is made, so that the time tells nothing about which one matched.
            if any([crypto.same(hashed, other) for other in named]):  # noqa: C419  no early end
                return each
    return None


def _final_form(party: Party, answered: Answered, shared: RetainedSecret | None) -> Form:
    suite = answered.suite
    named = (
        derivation.shared_retained_hash(suite, shared.value)
        if shared
        else party.random(len(crypto.digest(suite.hash, b"")))
    )
    fields = [
        xep_0155.form_type(),
        Field("nonce", (encode_base64(answered.request.nonce),)),
        Field("srshash", (encode_base64(named),)),
    ]
    return Form.build("result", fields, suite.profile)


def _initiator_claim(answered: Answered, form: Form, value: int) -> Claim:
    profile = answered.suite.profile
    forms = answered.request.form.normalized(profile) + form.normalized(profile)
    return Claim(answered.nonce + answered.request.nonce, value, forms)


def _first_secret(answered: Answered, value: int) -> Secret:
    chosen = group(answered.suite.group)
    if not chosen.is_public_value(value):
        raise RefusedError(
            FEATURE_NOT_IMPLEMENTED, ("dhkeys",), "the initiator's Diffie-Hellman value is out of range"
        )
    shared = crypto.shared_value(chosen, answered.pair.exponent, value)
    return derivation.first_secret(answered.suite, shared)


def _response_fields(request: Request, suite: Suite, terms: Terms) -> dict[str, Field]:
    gajim = suite.profile.name == "gajim"
    fields = {
        "FORM_TYPE": xep_0155.form_type(),
        "accept": Field("accept", ("true" if gajim else "1",)),
        **terms.fields(),
        "security": Field("security", ("e2e",)),
        "modp": Field("modp", (str(suite.group),)),
        "crypt_algs": Field("crypt_algs", (suite.cipher,)),
        "hash_algs": Field("hash_algs", (suite.hash,)),
        "compress": Field("compress", ("none",)),
        "stanzas": Field(
            "stanzas", tuple(each for each in request.offered("stanzas") if each in suite.stanzas)
        ),
        "init_pubkey": Field("init_pubkey", (suite.init_pubkey,)),
        "resp_pubkey": Field("resp_pubkey", (suite.resp_pubkey,)),
        "ver": Field("ver", VERSIONS),
        "rekey_freq": Field("rekey_freq", (str(suite.rekey_freq),)),
    }
    if request.has_four_messages:
        fields["sas_algs"] = Field("sas_algs", SAS_ALGORITHMS)
    if gajim or (suite.init_pubkey, suite.resp_pubkey) != ("none", "none"):
        fields["sign_algs"] = Field("sign_algs", SIGNATURES)
    return fields
