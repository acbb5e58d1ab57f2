"""Nothing is believed of a key because a vault says it (XEP-0189)."""

import dataclasses
from datetime import timedelta

import pytest

from stanzavault.keys.model.public_key import Fingerprint, PublicKey, Written
from stanzavault_client import SQLiteStore
from stanzavault_client.keys import Trust, memory
from stanzavault_client.keys.judging import Known, judge
from stanzavault_client.keys.making import make_attestation, make_revocation
from stanzavault_client.keys.model import SeenKey
from stanzavault_client.storage import OwnKey
from support.vault_clients import PASSPHRASE, QUICK

from .conftest import JULIET, NOW, ROMEO, key_of


def seen(key: PublicKey, known: Known | None = None) -> SeenKey:
    (found,) = judge(ROMEO, [key], (), (), known or Known(NOW, 2048)).keys
    return found


def test_a_sound_key_has_no_problems_but_nobodys_trust(phone: OwnKey) -> None:
    found = seen(phone.public)
    assert (found.problems, found.trust, found.is_usable) == ((), Trust.NONE, False)


def test_a_key_that_is_held_or_confirmed_is_usable(phone: OwnKey) -> None:
    held = seen(phone.public, Known(NOW, 2048, held=[phone]))
    confirmed = seen(phone.public, Known(NOW, 2048, confirmed=frozenset({phone.public.key})))
    assert (held.trust, held.is_usable) == (Trust.OWN, True)
    assert (confirmed.trust, confirmed.is_usable) == (Trust.CONFIRMED, True)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (key_of("phone", end=NOW - timedelta(seconds=1)).public, "it ended"),
        (key_of("phone", begin=NOW + timedelta(days=1)).public, "it begins"),
        (key_of("phone", begin=NOW + timedelta(days=2), end=NOW + timedelta(days=1)).public, "no earlier"),
        (key_of("phone", owner=JULIET).public, "not the bare address"),
        (
            dataclasses.replace(key_of("phone").public, owner=Written(str(JULIET), JULIET)),
            "its fingerprint is not",
        ),
        (
            dataclasses.replace(key_of("phone").public, fingerprint=Fingerprint.of(bytes(32))),
            "its fingerprint is not",
        ),
    ],
)
def test_what_is_wrong_with_a_key_is_found_here_even_if_it_is_confirmed(key: PublicKey, problem: str) -> None:
    found = seen(key, Known(NOW, 2048, confirmed=frozenset({key.key})))
    assert problem in "; ".join(found.problems)
    assert not found.is_usable


def test_a_key_that_is_too_weak_for_this_client_is_not_used(phone: OwnKey) -> None:
    assert "not 3072 to 8192" in seen(phone.public, Known(NOW, 3072, held=[phone])).problems[0]


def test_a_revocation_that_verifies_ends_a_key_and_one_that_does_not_ends_nothing(phone: OwnKey) -> None:
    known = Known(NOW, 2048, confirmed=frozenset({phone.public.key}))
    good = make_revocation(phone, NOW)
    forged = dataclasses.replace(good, signature=good.signature[::-1])
    (revoked,) = judge(ROMEO, [phone.public], [good], (), known).keys
    (untouched,) = judge(ROMEO, [phone.public], [forged], (), known).keys
    assert (revoked.revoked_at, revoked.is_usable) == (NOW, False)
    assert (untouched.revoked_at, untouched.is_usable) == (None, True)


def test_a_revocation_by_a_key_of_somebody_else_ends_nothing(phone: OwnKey) -> None:
    mallory = key_of("juliet", owner=JULIET)
    forged = dataclasses.replace(
        make_revocation(mallory, NOW), key=phone.public.key, fingerprint=phone.public.fingerprint
    )
    known = Known(NOW, 2048, confirmed=frozenset({phone.public.key}))
    (found,) = judge(ROMEO, [phone.public], [forged], (), known).keys
    assert found.is_usable


def test_a_trusted_key_vouches_for_another_of_its_account(phone: OwnKey, laptop: OwnKey) -> None:
    said = make_attestation(phone, laptop.public, NOW)
    known = Known(NOW, 2048, confirmed=frozenset({phone.public.key}))
    both = [phone.public, laptop.public]
    assert [key.trust for key in judge(ROMEO, both, (), [said], known).keys] == [
        Trust.CONFIRMED,
        Trust.VOUCHED,
    ]
    forged = dataclasses.replace(said, signature=said.signature[::-1])
    early = make_attestation(phone, laptop.public, NOW - timedelta(days=30))
    late = make_attestation(phone, laptop.public, NOW + timedelta(days=30))
    for wrong in (forged, early, late):
        assert judge(ROMEO, both, (), [wrong], known).keys[1].trust is Trust.NONE


def test_neither_an_untrusted_nor_a_revoked_key_vouches_for_another(phone: OwnKey, laptop: OwnKey) -> None:
    said = make_attestation(phone, laptop.public, NOW)
    both = [phone.public, laptop.public]
    assert judge(ROMEO, both, (), [said], Known(NOW, 2048)).keys[1].trust is Trust.NONE
    known = Known(NOW, 2048, confirmed=frozenset({phone.public.key}))
    revoked = make_revocation(phone, NOW)
    assert judge(ROMEO, both, [revoked], [said], known).keys[1].trust is Trust.NONE
    gone = Known(NOW, 2048, held=[dataclasses.replace(phone, revoked_at=NOW)])
    assert judge(ROMEO, both, (), [said], gone).keys[1].trust is Trust.NONE


def test_a_key_does_not_vouch_for_itself(phone: OwnKey) -> None:
    said = make_attestation(phone, phone.public, NOW)
    known = Known(NOW, 2048, confirmed=frozenset({phone.public.key}))
    assert judge(ROMEO, [phone.public], (), [said], known).keys[0].vouchers == ()


def test_what_was_once_seen_revoked_stays_revoked_when_the_vault_hides_it(
    phone: OwnKey, laptop: OwnKey, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("store") / "client.db"
    with SQLiteStore.open(path, PASSPHRASE, cost=QUICK) as store:
        store.own_keys.put(laptop)
        memory.confirm(store, ROMEO, phone.public.key)
        known = memory.recall(store, ROMEO, ROMEO, 2048)
        revocations = [make_revocation(phone, NOW), make_revocation(laptop, NOW)]
        judgement = judge(ROMEO, [phone.public, laptop.public], revocations, (), known)
        memory.learn(store, ROMEO, known, judgement.revoked)
    with SQLiteStore.open(path, PASSPHRASE, cost=QUICK) as store:
        known = memory.recall(store, ROMEO, ROMEO, 2048)
        found = judge(ROMEO, [phone.public, laptop.public], (), (), known).keys
        assert [key.is_usable for key in found] == [False, False]
        assert store.own_keys.of(str(ROMEO))[0].revoked_at == NOW


def test_a_stranger_can_not_fill_the_store_with_revocations(
    phone: OwnKey, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("store") / "client.db"
    with SQLiteStore.open(path, PASSPHRASE, cost=QUICK) as store:
        known = memory.recall(store, JULIET, ROMEO, 2048)
        judgement = judge(ROMEO, [phone.public], [make_revocation(phone, NOW)], (), known)
        memory.learn(store, ROMEO, known, judgement.revoked)
        assert judgement.revoked
        assert store.known_keys.of(str(ROMEO)) == []
