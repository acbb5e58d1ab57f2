"""Looking for readable text in files, as they are and in the encodings that anybody would try."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path


def find(files: Iterable[Path], *texts: str) -> list[str]:
    """Every text that lies in a file, told as "text in file".

    Raises:
        ValueError: there is nothing to search.
    """
    contents = {file: file.read_bytes() for file in files}
    if not any(contents.values()):
        raise ValueError("there is nothing to search")
    return [
        f"“{text}” ({form}) in {file.name}"
        for file, content in contents.items()
        for text in texts
        for form, pattern in _forms(text)
        if pattern in content
    ]


def _forms(text: str) -> Iterator[tuple[str, bytes]]:
    plain = text.encode()
    yield "plain", plain
    yield "UTF-16", text.encode("utf-16-le")
    yield "UTF-16", text.encode("utf-16-be")
    yield "hex", plain.hex().encode()
    yield "hex", plain.hex().upper().encode()
    # What stands before a text shifts its Base64 by none, one or two bytes, and blurs the digits at its ends.
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + plain + bytes(2))
        yield "Base64", whole[(shift * 8 + 5) // 6 : (shift + len(plain)) * 8 // 6]
