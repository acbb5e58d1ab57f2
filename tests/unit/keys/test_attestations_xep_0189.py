"""Vouching for keys (XEP-0189, section 4), and what other slices learn of keys."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from stanzavault.kernel.address import Address
from stanzavault.keys import verification
from stanzavault.keys.model.public_key import RsaKey
from support.key_desk import (
    ATTEST,
    JULIET,
    PUBKEY,
    REVOKE,
    ROMEO,
    STRANGER,
    KeyDesk,
    reason,
    refusal,
    result,
)
from support.published_keys import OwnKey

KEY = OwnKey(JULIET)
OTHER = OwnKey(JULIET, "second")
ROMEOS = OwnKey(ROMEO)


@pytest.fixture
async def published(desk: KeyDesk) -> KeyDesk:
    """Juliet has published a key."""
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    return desk


async def marks(desk: KeyDesk) -> Sequence[str | None]:
    return [record.get("attestation") for record in (await desk.items(ATTEST + "#history")).values()]


async def is_attested(desk: KeyDesk) -> Sequence[bool]:
    return [key.attested for key in await desk.known.valid_keys(Address.parse(JULIET))]


async def test_an_attestation_verifies_under_the_known_key_of_its_signer(published: KeyDesk) -> None:
    await published.publish(PUBKEY, ROMEOS.pubkey, "current", sender=ROMEO)
    assert result(await published.publish(ATTEST, ROMEOS.attestation(KEY), "from-romeo"))
    assert await marks(published) == ["verified"]
    assert await is_attested(published) == [True]


async def test_an_attestation_whose_signers_key_is_unknown_is_marked_unverified(published: KeyDesk) -> None:
    assert result(await published.publish(ATTEST, OwnKey(STRANGER).attestation(KEY), "from-afar"))
    assert await marks(published) == ["unverified"]
    assert await is_attested(published) == [False]


async def test_it_is_verified_once_the_signers_key_arrives(published: KeyDesk) -> None:
    await published.publish(ATTEST, ROMEOS.attestation(KEY), "from-romeo")
    assert await marks(published) == ["unverified"]
    await published.publish(PUBKEY, ROMEOS.pubkey, "current", sender=ROMEO)
    assert await marks(published) == ["verified"]
    assert await is_attested(published) == [True]


async def test_it_is_refuted_where_the_key_that_arrives_did_not_sign_it(published: KeyDesk) -> None:
    forged = OwnKey(STRANGER).attestation(KEY).replace(STRANGER, ROMEO)
    forged = forged.replace(OwnKey(STRANGER).fingerprint, ROMEOS.fingerprint)
    assert result(await published.publish(ATTEST, forged, "forged"))
    await published.publish(PUBKEY, ROMEOS.pubkey, "current", sender=ROMEO)
    assert await marks(published) == ["refuted"]
    assert await is_attested(published) == [False]


async def test_a_signature_is_verified_once_however_often_it_is_shown(
    published: KeyDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published.publish(PUBKEY, ROMEOS.pubkey, "current", sender=ROMEO)
    assert result(await published.publish(ATTEST, ROMEOS.attestation(KEY), "from-romeo"))
    monkeypatch.delattr(verification, "RSAPublicNumbers")  # what verifies costs milliseconds with a large key
    assert await marks(published) == ["verified"]
    assert await is_attested(published) == [True]


def test_what_is_longer_than_any_signature_is_none() -> None:
    key = RsaKey(KEY.modulus, 65537)
    assert not verification.is_signed_by(key, "A" * 10_000, "signed")


async def test_an_attestation_known_to_be_false_is_refused(published: KeyDesk) -> None:
    await published.publish(PUBKEY, ROMEOS.pubkey, "current", sender=ROMEO)
    false = ROMEOS.attestation(KEY).replace("11:00:00Z", "11:00:01Z")
    answer = await published.publish(ATTEST, false, "false")
    assert refusal(answer) == ("modify", "not-acceptable", "")
    assert "does not verify" in reason(answer)


async def test_a_revoked_key_vouches_for_nothing(published: KeyDesk) -> None:
    await published.publish(PUBKEY, ROMEOS.pubkey, "current", sender=ROMEO)
    await published.publish(ATTEST, ROMEOS.attestation(KEY), "from-romeo")
    await published.publish(REVOKE, ROMEOS.revocation(), "r", sender=ROMEO)
    assert await marks(published) == ["refuted"]
    assert await is_attested(published) == [False]
    answer = await published.publish(ATTEST, ROMEOS.attestation(KEY, time="2026-03-01T11:30:00Z"), "again")
    assert refusal(answer)[1] == "not-acceptable"


async def test_a_key_of_ones_own_vouches_for_another(published: KeyDesk) -> None:
    await published.publish(PUBKEY, OTHER.pubkey, "second")
    assert result(await published.publish(ATTEST, OTHER.attestation(KEY), "from-second"))
    assert await marks(published) == ["verified"]


async def test_an_attestation_is_about_a_key_that_its_publisher_published(published: KeyDesk) -> None:
    for strange in (KEY.attestation(ROMEOS), OwnKey(STRANGER).attestation(OTHER)):
        answer = await published.publish(ATTEST, strange, "a")
        assert refusal(answer)[1] == "not-acceptable"
        assert "Publish the key first" in reason(answer)


async def test_a_revoked_key_is_not_vouched_for(published: KeyDesk) -> None:
    await published.publish(REVOKE, KEY.revocation(), "r")
    answer = await published.publish(ATTEST, OwnKey(STRANGER).attestation(KEY), "a")
    assert reason(answer) == "The key that is vouched for is revoked."


async def test_an_attestation_of_the_future_is_refused(published: KeyDesk) -> None:
    answer = await published.publish(ATTEST, ROMEOS.attestation(KEY, time="2026-03-02T00:00:00Z"), "a")
    assert "in the future" in reason(answer)


async def test_a_signers_key_that_its_owner_does_not_show_is_not_known(published: KeyDesk) -> None:
    closed = {"pubsub#access_model": "whitelist"}
    await published.publish(PUBKEY, ROMEOS.pubkey, "current", sender=ROMEO, options=closed)
    await published.publish(ATTEST, ROMEOS.attestation(KEY), "from-romeo")
    assert await marks(published) == ["unverified"]
    await published.affiliate(PUBKEY, {JULIET: "member"}, sender=ROMEO)
    assert await marks(published) == ["verified"]


async def test_an_attestation_under_any_other_kind_of_key_is_kept_unverified(published: KeyDesk) -> None:
    pgp = OwnKey(STRANGER).attestation(KEY)
    start, end = pgp.index("<signature>"), pgp.index("</signature>")
    pgp = pgp[:start] + "<signature>\n  iEYEARECAAYF\n  =MMuz\n" + pgp[end:]
    assert result(await published.publish(ATTEST, pgp, "pgp"))
    assert await marks(published) == ["unverified"]
    (served,) = (await published.items(ATTEST)).values()
    assert served.findtext(f"{{{ATTEST}}}signature") == "iEYEARECAAYF\n=MMuz"


async def test_other_slices_learn_of_valid_keys_only_the_last_published_first(published: KeyDesk) -> None:
    await published.publish(PUBKEY, OTHER.pubkey, "second")
    await published.publish(PUBKEY, OwnKey(JULIET, "later", begin="2027-01-01T00:00:00Z").pubkey, "third")
    await published.publish(PUBKEY, OwnKey(JULIET, "gone").pubkey, "fourth")
    await published.publish(REVOKE, OwnKey(JULIET, "gone").revocation(), "r")
    found = await published.known.valid_keys(Address.parse(JULIET))
    assert [(key.modulus, key.exponent, key.fingerprint, key.attested) for key in found] == [
        (OTHER.modulus, 65537, OTHER.fingerprint, False),
        (KEY.modulus, 65537, KEY.fingerprint, False),
    ]
    assert await published.known.valid_keys(Address.parse(ROMEO)) == []
