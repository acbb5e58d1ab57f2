"""Looking for readable text in the files of a database."""

import base64
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.postgresql import PostgreSQL


@dataclass(frozen=True, slots=True)
class Find:
    """A text that lies in a file for everybody to read.

    Attributes:
        text: what was looked for.
        form: how it is written there: plain, UTF-16, Base64 or hex.
        file: where.
        offset: at which byte.
    """

    text: str
    form: str
    file: Path
    offset: int


def search(files: list[Path], *texts: str) -> list[Find]:
    """Look for texts in files, as they are and in the encodings that anybody would try.

    Raises:
        ValueError: there is no file to search, or a text is too short to be found on purpose.
    """
    if not any(file.stat().st_size for file in files):
        raise ValueError("there is nothing to search: no file, or only empty ones")
    short = [text for text in texts if len(text) < 6]
    if short or not texts:
        raise ValueError(f"too short to tell a find from chance: {short}")
    return [find for file in files for find in _search_file(file, texts)]


def sqlite_files(database: Path) -> list[Path]:
    """Return the file of an SQLite database with its -wal, -shm and -journal, as far as they are there."""
    return [file for file in sorted(database.parent.glob(f"{database.name}*")) if file.is_file()]


async def postgresql_files(cluster: PostgreSQL) -> list[Path]:
    """Return every file of a cluster, its write-ahead log included, with everything committed in them."""
    await cluster.checkpoint()
    return [file for file in sorted((cluster.folder / "data").rglob("*")) if file.is_file()]


def _search_file(file: Path, texts: tuple[str, ...]) -> Iterator[Find]:
    if not file.stat().st_size:
        return
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for text in texts:
            for form, pattern in _forms(text):
                offset = content.find(pattern)
                if offset >= 0:
                    yield Find(text, form, file, offset)


def _forms(text: str) -> Iterator[tuple[str, bytes]]:
    plain = text.encode()
    yield "plain", plain
    yield "UTF-16", text.encode("utf-16-le")
    yield "UTF-16", text.encode("utf-16-be")
    yield "hex", plain.hex().encode()
    yield "hex", plain.hex().upper().encode()
    # What surrounds a text shifts its Base64 by none, one or two bytes, and blurs the digits at both ends.
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + plain + bytes(2)).rstrip(b"=")
        first = (shift * 8 + 5) // 6
        last = (shift + len(plain)) * 8 // 6
        yield "Base64", whole[first:last]
