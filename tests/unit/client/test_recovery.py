"""A recovery code, and what is sealed under it."""

import dataclasses
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stanzavault_client import AnswerMalformed, WrongCode
from stanzavault_client.recovery import envelope
from stanzavault_client.recovery.code import RecoveryCode
from stanzavault_client.storage import OwnKey
from stanzavault_client.storage.passphrase import Cost
from support.vault_clients import QUICK

from .conftest import JULIET, NOW, ROMEO


def test_a_code_is_read_however_it_is_written() -> None:
    code = RecoveryCode.new()
    assert len(code.text.replace("-", "")) == 28
    for written in (
        code.text.lower(),
        code.text.replace("-", " "),
        code.text.replace("-", ""),
        code.text.replace("0", "O"),
        f"  {code.text.replace('1', 'l')}\n",
    ):
        assert RecoveryCode.parse(written) == code


@given(st.integers(0, 27), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_a_letter_that_was_mistyped_is_found(place: int, letter: str) -> None:
    digits = RecoveryCode("0123456789ABCDEFGHJKMNPQR").text.replace("-", "")
    mistyped = digits[:place] + letter + digits[place + 1 :]
    if mistyped == digits:
        return
    with pytest.raises(WrongCode):
        RecoveryCode.parse(mistyped)


@pytest.mark.parametrize("text", ["", "1234", "U" * 28, "0" * 28, "0" * 27, "\u0660" * 28])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(WrongCode):
        RecoveryCode.parse(text)


def test_codes_are_random_and_do_not_show() -> None:
    codes = {RecoveryCode.new().text for _ in range(100)}
    assert len(codes) == 100
    assert not any(code.replace("-", "")[:25] in repr(RecoveryCode.parse(code)) for code in codes)


def test_keys_come_back_with_the_code(phone: OwnKey, laptop: OwnKey) -> None:
    code = RecoveryCode.new()
    gone = dataclasses.replace(laptop, revoked_at=NOW, item_id="x")
    sealed = envelope.seal([phone, gone], ROMEO, code, QUICK)
    assert envelope.open_(sealed, ROMEO, code) == [phone, gone]


def test_it_opens_neither_with_another_code_nor_for_another_account_nor_at_another_cost(
    phone: OwnKey,
) -> None:
    code = RecoveryCode.new()
    sealed = envelope.seal([phone], ROMEO, code, Cost(2, 16, 1))
    with pytest.raises(WrongCode):
        envelope.open_(sealed, ROMEO, RecoveryCode.new())
    with pytest.raises(WrongCode):
        envelope.open_(sealed, JULIET, code)
    cheaper = deepcopy(sealed)
    cheaper.set("rounds", "1")
    with pytest.raises(WrongCode):
        envelope.open_(cheaper, ROMEO, code)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("rounds", "0"), ("rounds", "many"), ("kibibytes", "99999999"), ("salt", "?"), ("salt", "")],
)
def test_what_a_vault_made_up_is_refused_before_anything_is_computed(
    phone: OwnKey, attribute: str, value: str
) -> None:
    code = RecoveryCode.new()
    sealed = envelope.seal([phone], ROMEO, code, QUICK)
    sealed.set(attribute, value)
    with pytest.raises(AnswerMalformed):
        envelope.open_(sealed, ROMEO, code)


def test_nothing_of_a_key_is_readable_in_what_the_vault_keeps(phone: OwnKey) -> None:
    sealed = envelope.seal([phone], ROMEO, RecoveryCode.new(), QUICK)
    everything = " ".join([sealed.text or "", *sealed.attrib.values()])
    assert phone.fingerprint not in everything
    assert str(phone.public.key.modulus) not in everything


def test_no_private_key_shows_in_a_repr(phone: OwnKey) -> None:
    shown = repr(phone)
    numbers = phone.private._key.private_numbers()
    assert not any(str(number) in shown for number in (numbers.p, numbers.q, numbers.d))
