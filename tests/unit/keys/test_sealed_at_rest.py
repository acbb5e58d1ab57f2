"""What lies in the database: nothing readable; and what was changed there is never served."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.key_desk import ATTEST, JULIET, PUBKEY, REVOKE, ROMEO, STRANGER, KeyDesk, refusal, result
from support.published_keys import OwnKey

KEY = OwnKey(JULIET)
OTHER = OwnKey(JULIET, "second")
TABLES = ("node", "node_item", "node_subscription")


@pytest.fixture
async def kept(desk: KeyDesk) -> KeyDesk:
    """Juliet has published two keys; who vouches and who subscribed is kept too."""
    await desk.publish(PUBKEY, KEY.pubkey, "current", options={"pubsub#access_model": "whitelist"})
    await desk.publish(PUBKEY, OTHER.pubkey, "second")
    await desk.publish(ATTEST, OwnKey(STRANGER).attestation(KEY), "from-mercutio")
    await desk.publish(REVOKE, OTHER.revocation(), "gone")
    await desk.affiliate(PUBKEY, {ROMEO: "member"})
    await desk.subscribe(PUBKEY, f"{ROMEO}/orchard")
    return desk


def _edit(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "vault.db")) as connection:
        connection.execute(statement)
        connection.commit()


async def test_no_address_key_name_or_fingerprint_lies_in_the_files(kept: KeyDesk, tmp_path: Path) -> None:
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert files
    for text in (
        JULIET, "juliet", ROMEO, "romeo", "orchard", STRANGER, "mercutio", "current", "second", "urn:xmpp",
        "whitelist", str(KEY.modulus), KEY.base64, KEY.fingerprint, "pubkey",
    ):  # fmt: skip
        assert not any(text.encode() in content for content in files), text
    for octets in (KEY.digest, KEY.modulus.to_bytes(256, "big")):
        assert not any(octets in content for content in files)


async def test_cleartext_columns_hold_integers_bytes_and_nothing_else(kept: KeyDesk, tmp_path: Path) -> None:
    def values() -> Iterator[object]:
        with closing(sqlite3.connect(tmp_path / "vault.db")) as connection:
            for table in TABLES:
                for row in connection.execute(f"SELECT * FROM {table}"):
                    yield from row

    assert {type(value) for value in values()} <= {int, bytes, type(None)}


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE node_item SET valid_until = valid_until + 1 WHERE position = 1",
        "UPDATE node_item SET published_at = published_at + 1 WHERE position = 1",
        "UPDATE node_item SET position = 9 WHERE position = 1",
        "UPDATE node_item SET sealed = CAST(sealed || 'x' AS BLOB) WHERE position = 1",
        "UPDATE node_item SET sealed = (SELECT sealed FROM node_item WHERE position = 2) WHERE position = 1",
        "UPDATE node_item SET sealed = x'' WHERE position = 1",
    ],
)
async def test_an_item_that_was_changed_in_the_database_is_skipped_and_counted(
    desk: KeyDesk, tmp_path: Path, edit: str
) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.publish(PUBKEY, OTHER.pubkey, "second")
    _edit(tmp_path, edit)
    assert list(await desk.items(PUBKEY)) == ["second"]
    assert desk.unopened == 1


async def test_a_revocation_that_was_turned_back_in_the_database_does_not_show_the_key(
    kept: KeyDesk, tmp_path: Path
) -> None:
    _edit(tmp_path, "UPDATE node_item SET revoked_at = NULL")
    assert list(await kept.items(PUBKEY)) == ["current"]


async def test_an_item_moved_to_another_owner_is_not_served(desk: KeyDesk, tmp_path: Path) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.publish(PUBKEY, OwnKey(ROMEO).pubkey, "current", sender=ROMEO)
    _edit(
        tmp_path,
        "INSERT INTO node_item SELECT b.owner_id, a.id, b.node_id, 2, a.item_index, a.key_index,"
        " a.fingerprint_index, a.valid_until, a.published_at, a.ended_at, a.revoked_at, a.state, a.size,"
        " a.key_id, a.codec, a.sealed FROM node_item a JOIN node_item b ON a.owner_id < b.owner_id",
    )
    (theirs,) = (await desk.items(PUBKEY, about=ROMEO)).values()
    assert theirs.findtext(f"{{{PUBKEY}}}jid") == ROMEO
    assert desk.unopened == 1


async def test_a_node_whose_record_is_damaged_is_open_to_nobody(kept: KeyDesk, tmp_path: Path) -> None:
    _edit(tmp_path, "UPDATE node SET sealed = x''")
    for sender in (ROMEO, STRANGER):
        assert refusal(await kept.fetch(PUBKEY, sender=sender))[1] == "internal-server-error"


async def test_a_damaged_subscription_keeps_no_other_from_being_told(kept: KeyDesk, tmp_path: Path) -> None:
    await kept.subscribe(PUBKEY, ROMEO)
    await kept.told()
    _edit(tmp_path, "UPDATE node_subscription SET sealed = x'' WHERE subscriber_index <> account_index")
    assert result(await kept.retract(PUBKEY, "current"))
    assert [one.get("to") for one in await kept.told()] == [JULIET, ROMEO]
