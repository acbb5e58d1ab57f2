"""Publishing options before leaving, and verifying those of who has left (XEP-0187 sections 3.1 and 3.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from xml.etree import ElementTree as ET

from esession.errors import ESessionError, MisuseError, OptionsError
from esession.events import KeepOfflineValues
from esession.keys import RSAPublicKey, bare
from esession.lifecycle import require_aware
from esession.negotiation.established import Party
from esession.negotiation.offer import Opening, general_fields, make_pairs, technical_fields
from esession.offline.values import OfflineValues
from esession.suite import SIGNATURES
from esession.wire import xep_0116, xep_0187
from esession.wire.xep_0004 import Field, Form, encode_base64
from esession.wire.xep_0116 import Request
from esession.wire.xep_0187 import Audience

UNSIGNED = ("signs",)


@dataclass(frozen=True, slots=True)
class Publication:
    """Options ready to be published.

    Attributes:
        keep: To be carried out first: the private values, wrapped.
        pubsub: Then to be published: the payload of an IQ of type `set` to our own account.
        create: The payload that creates the node, where it doesn't exist yet.
    """

    keep: KeepOfflineValues
    pubsub: ET.Element
    create: ET.Element


@dataclass(frozen=True, slots=True)
class OfferedOptions:
    """Somebody's options, whose signature has been verified.

    Attributes:
        request: The options.
        signer: The key that verified them.
        match_resource: The resource that alone can open what is sent; None for any.
        expires: When they expire.
    """

    request: Request
    signer: RSAPublicKey
    match_resource: str | None
    expires: datetime


def publish(
    party: Party,
    audience: Audience,
    now: datetime,
    *,
    expires: datetime,
    key: bytes,
    only_this_resource: bool = True,
) -> Publication:
    """Make options, sign them with all our keys and wrap their private values (XEP-0187 section 3.1).

    Args:
        party: Our side; needs at least one signing key.
        audience: For whom.
        now: The present time.
        expires: When the options expire; not long after we expect to be back (section 6.2).
        key: The caller's key, under which the private values are wrapped.
        only_this_resource: Whether only this resource will be able to open what is sent.

    Raises:
        MisuseError: We have no signing key, the options would have expired already, or the policy offers
            no stanzas that can be taken offline.
    """
    require_aware(now)
    if not party.identity.keys:
        raise MisuseError("published options need a signing key")
    if expires <= now:
        raise MisuseError("these options would have expired already")
    kinds = ("message",) if only_this_resource else ("message", "presence")
    stanzas = tuple(kind for kind in party.policy.stanzas if kind in kinds)
    if not stanzas:
        raise MisuseError("the policy offers no stanzas that can be taken offline")
    policy = replace(party.policy, stanzas=stanzas, security=("e2e",))
    nonce, pairs = party.random(policy.profile.nonce_octets), make_pairs(party)
    fields = {
        var: replace(each, required=False)
        for var, each in (general_fields(policy) | technical_fields(policy, nonce, pairs, four=False)).items()
    }
    fields["sign_algs"] = Field("sign_algs", options=SIGNATURES, kind="list-single")
    fields["expires"] = xep_0187.expires_field(expires)
    if only_this_resource:
        resource = party.identity.jid.partition("/")[2]
        fields["match_resource"] = Field("match_resource", (resource,), kind="text-single")
    unsigned = xep_0116.write_request(fields, policy.profile)
    content = unsigned.normalized(policy.profile, without=UNSIGNED)
    signatures = tuple(encode_base64(each.sign(content)) for each in party.identity.keys)
    form = unsigned.with_fields([Field("signs", signatures, kind="hidden")], policy.profile)
    opening = Opening(xep_0116.read_request(form), pairs)
    values = OfflineValues(bare(party.identity.jid), audience, opening, expires)
    keep = KeepOfflineValues(values.record, values.wrap(key, party.entropy))
    opening.wipe()
    return Publication(keep, xep_0187.publish(audience, form), xep_0187.create_node(audience))


def verify(party: Party, peer: str, form: Form, now: datetime) -> OfferedOptions:
    """Verify somebody's published options with one of the keys known for it (XEP-0187 section 3.2).

    Args:
        party: Our side; its policy says whether a key must have been verified by the user.
        peer: Whose options they are.
        form: The options, as `wire.xep_0187.read_published` gives them.
        now: The present time.

    Raises:
        OptionsError: They have expired, no signature is by a key that may be used, or they are unreadable.
    """
    require_aware(now)
    try:
        request = xep_0116.read_request(form)
        content = form.normalized(party.policy.profile, without=UNSIGNED)
        expires = xep_0187.read_date(form.value("expires"))
        signatures, resource = form.all_octets("signs"), form.optional("match_resource")
    except ESessionError as error:
        raise OptionsError(f"the options can't be read: {error}") from None
    if request.has_four_messages or "iq" in request.offered("stanzas"):
        raise OptionsError("the options are of a form that is not for offline sessions")
    if now >= expires:
        raise OptionsError("the options have expired")
    unverified = party.policy.accept_unverified_keys
    keys = [each.key for each in party.known.of(bare(peer)) if each.verified or unverified]
    for key in keys:
        if any(key.verifies(content, signature) for signature in signatures):
            return OfferedOptions(request, key, resource, expires)
    raise OptionsError("no signature of the options is by a key that is known for this address")
