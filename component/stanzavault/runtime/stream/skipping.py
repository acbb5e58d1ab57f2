"""The end of a stanza that is not read: found by its markup alone, in no memory and without its names."""

import re
from typing import Final

_CDATA: Final = b"<![CDATA["
_IN_TAG: Final = re.compile(rb"[\"'>]")


class RestrictedMarkupError(Exception):
    """What no conforming server sends stands in it (RFC 6120 section 11.1)."""


class Skipper:
    """Looks for the end tag that closes a stanza.

    Args:
        depth: Elements that are open; with none, the first tag is the stanza's own.
        in_cdata: Whether a CDATA section is open.
    """

    def __init__(self, depth: int, *, in_cdata: bool) -> None:
        self._depth = depth
        self._held = b""
        self._look = self._in_cdata if in_cdata else self._between_tags
        self._closes = False
        self._quote = b""
        self._is_over = False

    def feed(self, data: bytes) -> int | None:
        """The number of bytes of ``data`` that belong to the stanza; None while its end is not among them.

        Raises:
            RestrictedMarkupError: It holds a comment, a processing instruction or a declaration.
        """
        held = len(self._held)
        buffer, self._held = self._held + data, b""
        at: int | None = 0
        while at is not None and at < len(buffer):
            at = self._look(buffer, at)
            if self._is_over:
                return None if at is None else at - held
        return None

    # Each looks from a place on; the place behind what it found, or None where more bytes are needed.

    def _between_tags(self, buffer: bytes, at: int) -> int | None:
        at = buffer.find(b"<", at)
        if at < 0:
            return None
        begin = buffer[at : at + len(_CDATA)]
        if begin == _CDATA:
            self._look = self._in_cdata
            return at + len(_CDATA)
        if _CDATA.startswith(begin):
            self._held = begin
            return None
        if begin[1:2] in {b"!", b"?"}:
            raise RestrictedMarkupError
        self._closes = begin[1:2] == b"/"
        self._look = self._in_tag
        return at + 1

    def _in_tag(self, buffer: bytes, at: int) -> int | None:
        found = _IN_TAG.search(buffer, at)
        if found is None:
            self._held = buffer[-1:]  # a slash may stand there, and only the next byte ends the tag
            return None
        if found.group() == b">":
            if self._closes:
                self._depth -= 1
            elif buffer[found.start() - 1 : found.start()] != b"/":
                self._depth += 1
            self._is_over = self._depth == 0
            self._look = self._between_tags
        else:
            self._quote = found.group()
            self._look = self._in_quotes
        return found.end()

    def _in_quotes(self, buffer: bytes, at: int) -> int | None:
        end = buffer.find(self._quote, at)
        if end < 0:
            return None
        self._look = self._in_tag
        return end + 1

    def _in_cdata(self, buffer: bytes, at: int) -> int | None:
        end = buffer.find(b"]]>", at)
        if end < 0:
            self._held = buffer[max(at, len(buffer) - 2) :]
            return None
        self._look = self._between_tags
        return end + 3
