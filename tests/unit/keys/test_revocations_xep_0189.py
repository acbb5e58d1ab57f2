"""Revoking keys (XEP-0189, section 3)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.key_desk import EVENT, JULIET, PUBKEY, REVOKE, ROMEO, KeyDesk, reason, refusal, result
from support.published_keys import OwnKey

KEY = OwnKey(JULIET)
OTHER = OwnKey(JULIET, "second")


@pytest.fixture
async def two(desk: KeyDesk) -> KeyDesk:
    """Juliet has published two keys."""
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.publish(PUBKEY, OTHER.pubkey, "second")
    await desk.told()
    return desk


async def test_a_key_revokes_itself(two: KeyDesk) -> None:
    assert result(await two.publish(REVOKE, KEY.revocation(), "r"))
    assert list(await two.items(PUBKEY)) == ["second"]


async def test_another_valid_key_of_the_owner_revokes_a_key(two: KeyDesk) -> None:
    assert result(await two.publish(REVOKE, OTHER.revocation(KEY), "r"))
    assert list(await two.items(PUBKEY)) == ["second"]


async def test_who_listens_learns_of_the_revocation_and_of_the_key_that_is_gone(two: KeyDesk) -> None:
    await two.subscribe(PUBKEY, ROMEO)
    await two.publish(REVOKE, KEY.revocation(), "r")
    told = [(stanza.get("to"), stanza.find(f"{EVENT}event/{EVENT}items")) for stanza in await two.told()]
    assert [(to, items.get("node"), items[0].tag) for to, items in told if items is not None] == [
        (JULIET, REVOKE, f"{EVENT}item"),
        (JULIET, PUBKEY, f"{EVENT}retract"),
        (ROMEO, PUBKEY, f"{EVENT}retract"),
    ]


async def test_a_revoked_key_is_served_only_in_the_history(two: KeyDesk) -> None:
    await two.publish(REVOKE, KEY.revocation(), "r")
    past = list((await two.items(PUBKEY + "#history")).values())
    assert [(record.get("item"), record.get("revoked")) for record in past] == [
        ("current", "2026-03-01T12:00:00Z"),
        ("second", None),
    ]


async def test_a_revoked_key_is_not_published_again_whatever_its_dates(two: KeyDesk) -> None:
    await two.publish(REVOKE, KEY.revocation(), "r")
    await two.retract(REVOKE, "r")
    for key in (KEY, OwnKey(JULIET, begin="2026-01-02T00:00:00Z")):
        answer = await two.publish(PUBKEY, key.pubkey, "again")
        assert refusal(answer) == ("modify", "not-acceptable", "")
        assert reason(answer) == "You revoked this key: publish another."


async def test_every_publication_of_the_key_is_revoked(two: KeyDesk) -> None:
    later = OwnKey(JULIET, begin="2026-01-02T00:00:00Z")
    await two.publish(PUBKEY, later.pubkey, "third")
    await two.publish(REVOKE, KEY.revocation(), "r")
    assert list(await two.items(PUBKEY)) == ["second"]


async def test_an_expired_key_can_still_be_revoked_by_itself(desk: KeyDesk) -> None:
    key = OwnKey(JULIET, end="2026-04-01T00:00:00Z")
    await desk.publish(PUBKEY, key.pubkey, "current")
    desk.clock.move(timedelta(days=60))
    assert result(await desk.publish(REVOKE, key.revocation(), "r"))


@pytest.mark.parametrize(
    ("payload", "because"),
    [
        (OwnKey(JULIET, "unknown").revocation(KEY), "<revocationprint/>"),
        (KEY.revocation(OwnKey(JULIET, "unknown")), "<keyprint/>"),
        (KEY.revocation().replace(KEY.base64, OTHER.base64), "another key"),
        (KEY.revocation().replace("11:00:00Z", "11:00:01Z"), "does not verify"),
        (KEY.revocation(time="2026-03-02T00:00:00Z"), "in the future"),
        (
            KEY.revocation(OTHER).replace(f"int>{KEY.fingerprint}", f"int>{OTHER.fingerprint}"),
            "does not verify",
        ),
        (OwnKey(ROMEO).revocation(KEY), "<revocationprint/>"),
    ],
    ids=["signer unknown", "key unknown", "wrong key", "changed", "of the future", "wrong signer", "foreign"],
)
async def test_a_revocation_that_does_not_hold_changes_nothing(
    two: KeyDesk, payload: str, because: str
) -> None:
    answer = await two.publish(REVOKE, payload, "r")
    assert refusal(answer) == ("modify", "not-acceptable", "")
    assert because in reason(answer)
    assert list(await two.items(PUBKEY)) == ["current", "second"]
    assert refusal(await two.fetch(REVOKE))[1] == "item-not-found"


async def test_a_revoked_key_revokes_no_other(two: KeyDesk) -> None:
    await two.publish(REVOKE, OTHER.revocation(KEY), "r")
    answer = await two.publish(REVOKE, KEY.revocation(OTHER), "s")
    assert "itself revoked" in reason(answer)
    assert list(await two.items(PUBKEY)) == ["second"]


async def test_an_expired_key_revokes_no_other(desk: KeyDesk) -> None:
    key = OwnKey(JULIET, end="2026-04-01T00:00:00Z")
    await desk.publish(PUBKEY, key.pubkey, "current")
    await desk.publish(PUBKEY, OTHER.pubkey, "second")
    desk.clock.move(timedelta(days=60))
    assert "not valid now" in reason(await desk.publish(REVOKE, key.revocation(OTHER), "r"))


async def test_the_other_name_of_a_revocation_and_the_other_forms_are_taken(two: KeyDesk) -> None:
    text = KEY.revocation().replace("revocation xmlns", "revoke xmlns").replace("</revocation>", "</revoke>")
    spaced = "\n".join(KEY.base64[at : at + 64] for at in range(0, len(KEY.base64), 64))
    assert result(await two.publish(REVOKE, text.replace(KEY.base64, f"\n {spaced}\n "), "r"))
    (served,) = (await two.items(REVOKE)).values()
    assert served.tag == f"{{{REVOKE}}}revocation"
    assert served.findtext(f"{{{REVOKE}}}key") == KEY.base64


async def test_a_fingerprint_in_hexadecimal_digits_is_signed_as_it_is_written(two: KeyDesk) -> None:
    signed = KEY.base64 + KEY.digest.hex() + KEY.fingerprint + "2026-03-01T11:00:00Z"
    payload = (
        f"<revocation xmlns='{REVOKE}'><key>{KEY.base64}</key><keyprint>{KEY.digest.hex()}</keyprint>"
        f"<signature>{KEY.sign(signed)}</signature><revocationprint>{KEY.fingerprint}</revocationprint>"
        "<revocationtime>2026-03-01T11:00:00Z</revocationtime></revocation>"
    )
    assert result(await two.publish(REVOKE, payload, "r"))
    (served,) = (await two.items(REVOKE)).values()
    assert served.findtext(f"{{{REVOKE}}}keyprint") == KEY.digest.hex()
