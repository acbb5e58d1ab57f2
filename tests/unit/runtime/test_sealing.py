"""Sealed at rest: any flipped bit, moved row, edited column or wrong owner fails to open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import NotOpened, OperatorError
from stanzavault.kernel.ports import KeyPurpose, Owner
from stanzavault.runtime.sealing import MasterKey, MasterKeys, OwnerSealer, VaultKeyring
from stanzavault.storage.schema import sealed_columns
from stanzavault.storage.sealed import open_row, seal_row

ROMEO = Address.parse("romeo@example.org")
JULIET = Address.parse("juliet@example.org")


def a_table(name: str = "message") -> Table:
    return Table(
        name,
        MetaData(),
        Column("owner_id", BigInteger, primary_key=True),
        Column("id", LargeBinary, primary_key=True),
        Column("time", BigInteger),
        Column("peer", LargeBinary),
        *sealed_columns(),
    )


MESSAGE = a_table()


def a_keyring(line: str | None = None) -> VaultKeyring:
    text = line or MasterKey.new().text()
    return VaultKeyring(MasterKeys(lambda: text), b"i" * 32)


def an_owner(keyring: VaultKeyring, address: Address, owner_id: int) -> Owner:
    lookup = keyring.lookup(address)
    keys = [keyring.new_key(lookup, purpose, 1) for purpose in KeyPurpose]
    owner = keyring.open_owner(owner_id, address, lookup, keys)
    owner.sealer.grant(1000)
    return owner


KEYRING = a_keyring()
OWNER = an_owner(KEYRING, ROMEO, 1)
CLEARTEXT = {"id": b"\x01" * 16, "time": 1_700_000_000_000_000, "peer": b"p" * 16}


@given(st.binary(max_size=2000), st.integers(-(2**62), 2**62), st.binary(min_size=16, max_size=16))
def test_what_is_sealed_opens(content: bytes, time: int, record_id: bytes) -> None:
    row = seal_row(OWNER, MESSAGE, {"id": record_id, "time": time, "peer": None}, content)
    OWNER.sealer.grant(1)
    assert open_row(OWNER, MESSAGE, row) == content
    assert len(content) < 8 or content not in row["sealed"]


@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_flipped_bit_fails_to_open(content: bytes, data: st.DataObject) -> None:
    row = seal_row(OWNER, MESSAGE, CLEARTEXT, content)
    OWNER.sealer.grant(1)
    sealed = bytearray(row["sealed"])
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NotOpened):
        open_row(OWNER, MESSAGE, {**row, "sealed": bytes(sealed)})


@given(st.integers(0, 27))
def test_a_sealed_record_that_was_cut_fails_to_open(length: int) -> None:
    row = seal_row(OWNER, MESSAGE, CLEARTEXT, b"O Romeo")
    OWNER.sealer.grant(1)
    with pytest.raises(NotOpened):
        open_row(OWNER, MESSAGE, {**row, "sealed": row["sealed"][:length]})


@pytest.mark.parametrize(
    "edit",
    [{"id": b"\x02" * 16}, {"time": 1}, {"time": None}, {"peer": b"q" * 16}, {"owner_id": 2}, {"codec": 1}],
    ids=lambda edit: next(iter(edit)),
)
def test_an_edited_column_fails_to_open(edit: dict[str, object]) -> None:
    row = seal_row(OWNER, MESSAGE, CLEARTEXT, b"O Romeo")
    with pytest.raises(NotOpened):
        open_row(OWNER, MESSAGE, {**row, **edit})


def test_a_column_that_a_migration_adds_locks_no_older_row() -> None:
    row = seal_row(OWNER, MESSAGE, CLEARTEXT, b"O Romeo")
    grown = a_table()
    grown.append_column(Column("added", BigInteger))
    assert open_row(OWNER, grown, {**row, "added": None}) == b"O Romeo"
    with pytest.raises(NotOpened):
        open_row(OWNER, grown, {**row, "added": 1})


def test_a_row_moved_to_another_table_fails_to_open() -> None:
    row = seal_row(OWNER, MESSAGE, CLEARTEXT, b"O Romeo")
    with pytest.raises(NotOpened):
        open_row(OWNER, a_table("other"), row)


def test_a_row_of_another_owner_fails_to_open() -> None:
    row = seal_row(OWNER, MESSAGE, CLEARTEXT, b"O Romeo")
    with pytest.raises(NotOpened):
        open_row(an_owner(KEYRING, JULIET, 1), MESSAGE, row)


def test_a_wrapped_key_opens_for_its_owner_purpose_and_version_only() -> None:
    lookup = KEYRING.lookup(ROMEO)
    sealing = KEYRING.new_key(lookup, KeyPurpose.SEALING, 1)
    index = KEYRING.new_key(lookup, KeyPurpose.INDEX, 1)
    assert KEYRING.open_owner(1, ROMEO, lookup, [sealing, index]).address == ROMEO
    with pytest.raises(NotOpened):
        KEYRING.open_owner(1, JULIET, KEYRING.lookup(JULIET), [sealing, index])
    swapped = type(index)(KeyPurpose.SEALING, 1, index.master, index.wrapped)
    with pytest.raises(NotOpened):
        KEYRING.open_owner(1, ROMEO, lookup, [swapped, index])
    newer = type(index)(KeyPurpose.SEALING, 2, sealing.master, sealing.wrapped)
    with pytest.raises(NotOpened):
        KEYRING.open_owner(1, ROMEO, lookup, [newer, index])


def test_a_wrapped_key_does_not_open_under_another_master_key() -> None:
    lookup = KEYRING.lookup(ROMEO)
    keys = [KEYRING.new_key(lookup, purpose, 1) for purpose in KeyPurpose]
    with pytest.raises(NotOpened, match="no master key"):
        a_keyring().open_owner(1, ROMEO, lookup, keys)


def test_a_key_seals_no_more_than_was_reserved() -> None:
    sealer = OwnerSealer({1: b"k" * 32})
    with pytest.raises(RuntimeError, match="reserved"):
        sealer.seal(b"", b"content")
    sealer.grant(1)
    sealer.seal(b"", b"content")
    with pytest.raises(RuntimeError, match="reserved"):
        sealer.seal(b"", b"content")


def test_no_secret_shows_in_a_repr() -> None:
    key = MasterKey.new()
    wrapped = KEYRING.new_key(b"l" * 16, KeyPurpose.SEALING, 1)
    shown = repr([key, wrapped, OWNER, OWNER.sealer, OWNER.index, KEYRING])
    for secret in (key.key, key.key.hex().encode(), key.text().encode(), wrapped.wrapped):
        assert secret.decode("latin-1") not in shown
        assert repr(secret)[2:-1] not in shown


def test_blind_indexes_differ_by_owner_purpose_and_value() -> None:
    other = an_owner(KEYRING, JULIET, 2)
    values = {
        OWNER.index.of("peer", "juliet@example.org"),
        OWNER.index.of("thread", "juliet@example.org"),
        OWNER.index.of("peer", "romeo@example.org"),
        other.index.of("peer", "juliet@example.org"),
        KEYRING.lookup(JULIET),
    }
    assert len(values) == 5
    assert {len(value) for value in values} == {16}
    assert OWNER.index.of("peer", "juliet@example.org") in values


def test_the_recovery_copy_is_the_key_however_it_was_typed() -> None:
    key = MasterKey.new()
    head, _, letters = key.text().partition(":")
    assert MasterKey.parse(key.text()) == key
    assert MasterKey.parse(f"  {head}:{letters.replace('-', ' ').upper()}\n") == key


@given(st.integers(0, 55), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_mistyped_recovery_copy_is_refused(place: int, letter: str) -> None:
    head, _, letters = MasterKey.parse(MasterKey.new().text()).text().partition(":")
    plain = letters.replace("-", "")
    if plain[place] == letter:
        return
    with pytest.raises(OperatorError, match="wrong or missing"):
        MasterKey.parse(f"{head}:{plain[:place]}{letter}{plain[place + 1 :]}")


@pytest.mark.parametrize("text", ["", "\n", "hunter2", "stanzavault-master-1:", "stanzavault-master-1:§§§"])
def test_what_is_no_master_key_is_refused(text: str) -> None:
    with pytest.raises(OperatorError):
        MasterKeys(lambda: text)


def test_master_keys_are_read_again_when_a_rotation_has_gone_by() -> None:
    old, new = MasterKey.new(), MasterKey.new()
    lines = [old.text()]
    keys = MasterKeys(lambda: "\n".join(lines))
    master, wrapped = keys.wrap(b"bound", b"key")
    lines[:] = [new.text(), old.text()]
    rotated_master, rotated = MasterKeys(lambda: "\n".join(lines)).wrap(b"bound", b"key")
    assert rotated_master == new.fingerprint
    assert keys.unwrap(rotated_master, b"bound", rotated) == b"key"
    assert keys.unwrap(master, b"bound", wrapped) == b"key"
    assert keys.current == new
