"""The search through database files finds what lies there in any common encoding."""

import base64
from pathlib import Path

import pytest

from support.files import search, sqlite_files

BODY = "meet me at the orchard"


@pytest.mark.parametrize("shift", range(5))
@pytest.mark.parametrize(
    ("form", "encode"),
    [
        ("plain", bytes),
        ("UTF-16", lambda text: text.decode().encode("utf-16-le")),
        ("hex", lambda text: text.hex().encode()),
        ("Base64", base64.b64encode),
    ],
)
def test_a_text_is_found_in_every_form(tmp_path: Path, form: str, encode: object, shift: int) -> None:
    assert callable(encode)
    file = tmp_path / "vault.db"
    file.write_bytes(b"\x00" * 100 + encode(b"x" * shift + BODY.encode() + b"yz") + b"\xff" * 100)
    assert {find.form for find in search([file], BODY, "nowhere")} == {form}


def test_a_text_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    file = tmp_path / "vault.db"
    file.write_bytes(bytes(range(256)) * 10)
    assert search([file], BODY) == []


def test_the_companions_of_an_sqlite_file_are_searched(tmp_path: Path) -> None:
    for name in ("vault.db", "vault.db-wal", "vault.db-shm", "other.db"):
        (tmp_path / name).write_text("x")
    files = sqlite_files(tmp_path / "vault.db")
    assert [file.name for file in files] == ["vault.db", "vault.db-shm", "vault.db-wal"]


@pytest.mark.parametrize("texts", [(), ("short",)])
def test_a_search_that_shows_nothing_is_refused(tmp_path: Path, texts: tuple[str, ...]) -> None:
    file = tmp_path / "vault.db"
    file.write_text(BODY)
    with pytest.raises(ValueError, match="too short"):
        search([file], *texts)


def test_a_search_in_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to search"):
        search(sqlite_files(tmp_path / "vault.db"), BODY)
