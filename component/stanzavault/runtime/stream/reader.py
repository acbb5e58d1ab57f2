"""Bytes from the server to events, within limits that hold while a stanza is still being read.

The parser is expat, driven directly: no stanza object is built, and no element once a limit is passed. A
stanza over a limit is reported with its head and skipped, holding nothing of it; the stream goes on. What no
conforming server sends (RFC 6120 section 11.1: document types, entities, comments, processing instructions),
XML that is broken, and what can't even be skipped in bounded memory end the stream.

Expat and its binding remember every name they ever met, so a stream that lives for months would grow with
each name that a user makes up: a fresh parser takes over between two stanzas every ``_FRESH_AFTER`` bytes.
It also makes every name as long as its namespace, attributes' names before anybody is asked: a stanza that
declares a long one never gets that far.
"""

import re
from dataclasses import dataclass
from typing import Final, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from .refusals import Refusal
from .settings import StanzaLimits
from .skipping import RestrictedMarkupError, Skipper
from .writer import escape_attribute

STREAMS: Final = "http://etherx.jabber.org/streams"

_FRESH_AFTER: Final = 256 * 1024
_SKIP_FACTOR: Final = 16
"""A stanza this many times larger than the limit is not waited out."""
_LONGEST_NAMESPACE: Final = 1024
_MOST_NAMES: Final = 1024 * 1024
"""Characters of a stanza's names with their namespaces, all of which its written form may hold."""
_SLICE: Final = 4096
"""Bytes given to expat at once, and of a tag that expat is given without a look at its namespaces."""
_STANZA: Final = 2
"""Depth of a stanza: a child of the stream."""
_SPACE: Final = " \t\r\n"
_DECLARES_LONG: Final = re.compile(
    rb"""\sxmlns(?::[^\s=]*)?\s*=\s*(?:"[^"]{%d}|'[^']{%d})""" % (_SLICE, _SLICE)
)
_TAG_NAME: Final = re.compile(rb"<([^\s/>]+)")


@dataclass(slots=True)
class StreamOpened:
    """The stream header: the root element's tag, attributes and declared default namespace."""

    tag: str
    attributes: dict[str, str]
    namespace: str | None


@dataclass(slots=True)
class StanzaRead:
    """A complete child of the stream, and its bytes up to the closing tag."""

    element: Element
    size: int


@dataclass(slots=True)
class StanzaTooBig:
    """A child of the stream that passed a limit: its head, and the tag "" where not even that was read."""

    tag: str
    attributes: dict[str, str]
    refusal: Refusal


@dataclass(slots=True)
class StreamClosed:
    """The peer closed the stream as it should."""


@dataclass(slots=True)
class StreamBroken:
    """Nothing more can be read; ``condition`` is the stream error of RFC 6120 section 4.9.3 to send."""

    condition: str


StreamEvent = StreamOpened | StanzaRead | StanzaTooBig | StreamClosed | StreamBroken


class _Broken(Exception):
    def __init__(self, condition: str) -> None:
        self.condition = condition


class _ReadOn(Exception):
    """At that byte this parser is left: for a fresh one, or for nobody until the stanza is over."""

    def __init__(self, at: int, *, skips: bool = False) -> None:
        self.at = at
        self.skips = skips


class StanzaReader:
    """Reads one stream, from its header to its end."""

    def __init__(self, limits: StanzaLimits) -> None:
        self._max_bytes = limits.max_bytes
        self._max_parts = limits.max_parts
        self._deepest = limits.max_depth + _STANZA - 1
        self._events: list[StreamEvent] = []
        self._ended = False
        self._root_namespaces: dict[str | None, str] = {}
        self._root_name = ""
        self._depth = 0
        self._unread = b""
        self._skipper: Skipper | None = None
        self._builder: TreeBuilder | None = None
        self._make_parser()

    def feed(self, data: bytes | memoryview) -> list[StreamEvent]:
        """Reads on; after ``StreamClosed`` or ``StreamBroken`` nothing follows.

        Memory is bounded by the limits plus the length of ``data``, so feed it in slices of a few kilobytes.
        """
        self._events = []
        view = memoryview(data)
        try:
            for at in range(0, len(view), _SLICE):
                rest = b"" if self._ended else bytes(view[at : at + _SLICE])
                while rest:
                    rest = self._read(rest) if self._skipper is None else self._skip(self._skipper, rest)
        except _Broken as broken:
            self._end(StreamBroken(broken.condition))
        except RestrictedMarkupError:
            self._end(StreamBroken("restricted-xml"))
        except expat.ExpatError as error:
            unbound = expat.errors.codes[expat.errors.XML_ERROR_UNBOUND_PREFIX]
            self._end(StreamBroken("bad-namespace-prefix" if error.code == unbound else "not-well-formed"))
        return self._events

    def _end(self, event: StreamEvent) -> None:
        if not self._ended:
            self._ended = True
            self._events.append(event)

    # The parser, and its replacement

    def _make_parser(self) -> None:
        parser = expat.ParserCreate("utf-8", "}")
        parser.buffer_text = True
        if hasattr(parser, "SetReparseDeferralEnabled"):
            # a stanza's last bytes must not wait for more to come
            parser.SetReparseDeferralEnabled(False)  # noqa: FBT003  (expat's own signature)
        parser.StartDoctypeDeclHandler = self._restricted
        parser.EntityDeclHandler = self._restricted
        parser.CommentHandler = self._restricted
        parser.ProcessingInstructionHandler = self._restricted
        if self._root_name:
            header = self._header_again()
            parser.Parse(header, False)  # noqa: FBT003  (expat's own signature)
            self._fed = len(header)
        else:
            self._fed = 0
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartCdataSectionHandler = self._begin_cdata
        parser.EndCdataSectionHandler = self._end_cdata
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._finish
        parser.CharacterDataHandler = self._between
        self._parser = parser
        self._fresh_at = self._fed + _FRESH_AFTER
        self._names: dict[str, str] = {}
        self._builder = None
        self._stanza_at = 0
        self._parts = self._name_size = 0
        self._in_cdata = False
        self._unread = b""

    def _header_again(self) -> bytes:
        declarations = "".join(
            f' xmlns{f":{prefix}" if prefix else ""}="{escape_attribute(uri)}"'
            for prefix, uri in self._root_namespaces.items()
        )
        return f"<{self._root_name}{declarations}>".encode()

    def _read(self, data: bytes) -> bytes:
        """Gives data to expat: what is left of it for who reads on."""
        held = self._unread + data
        self._fed += len(data)
        try:
            self._parser.Parse(data, False)  # noqa: FBT003  (expat's own signature)
            waiting = self._fed - self._parser.CurrentByteIndex
            self._unread = held[-waiting:] if waiting else b""
            self._check_sizes(waiting)
        except _ReadOn as due:
            rest = held[len(held) - (self._fed - due.at) :]
            if due.skips:
                self._fed = due.at
                self._skipper = Skipper(self._depth - 1, in_cdata=self._in_cdata)
            else:
                self._make_parser()
            self._depth = 1
            return rest
        return b""

    def _check_sizes(self, waiting: int) -> None:
        """What the callbacks can't see: a token or a text that does not end."""
        size = waiting if self._depth < _STANZA else self._fed - self._stanza_at
        is_too_large = size > self._max_bytes
        if is_too_large and self._depth == 0:
            raise _Broken("policy-violation")
        if is_too_large or (self._depth and waiting > _SLICE and _DECLARES_LONG.search(self._unread)):
            self._refuse(Refusal.TOO_LARGE)

    def _skip(self, skipper: Skipper, data: bytes) -> bytes:
        """Leaves out data of a stanza that is not read: what follows that stanza."""
        end = skipper.feed(data)
        if end is None:
            self._fed += len(data)
            if self._fed - self._stanza_at > self._max_bytes * _SKIP_FACTOR:
                raise _Broken("policy-violation")
            return b""
        self._skipper = None
        self._make_parser()
        return data[end:]

    # Expat's callbacks

    def _restricted(self, *_declaration: object) -> None:
        raise _Broken("restricted-xml")

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        if self._depth == 0:
            self._root_namespaces[prefix] = uri or ""
        elif uri is not None and len(uri) > _LONGEST_NAMESPACE:
            self._refuse(Refusal.TOO_LARGE)

    def _begin_cdata(self) -> None:
        self._in_cdata = True

    def _end_cdata(self) -> None:
        self._in_cdata = False

    def _between(self, text: str) -> None:
        if text.strip(_SPACE):
            raise _Broken("bad-format")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth < _STANZA:
            if self._depth == 0:
                self._open_stream(name, attributes)
                return
            if self._depth == 1:
                self._open_stanza(name, attributes)
        self._parts += 1 + len(attributes)
        self._name_size += len(name) + sum(map(len, attributes))
        if self._depth >= self._deepest:
            self._refuse(Refusal.TOO_DEEP)
        elif self._parts > self._max_parts:
            self._refuse(Refusal.TOO_MANY_PARTS)
        elif self._name_size > _MOST_NAMES:
            self._refuse(Refusal.TOO_LARGE)
        elif self._builder is not None:
            self._depth += 1
            for key in tuple(attributes):
                if "}" in key:
                    attributes[self._names.get(key) or self._qualified(key)] = attributes.pop(key)
            self._builder.start(self._names.get(name) or self._qualified(name), attributes)

    def _open_stream(self, name: str, attributes: dict[str, str]) -> None:
        self._depth = 1
        as_sent = _TAG_NAME.match(self._parser.GetInputContext() or b"")
        if as_sent is None or not as_sent[1].endswith(name.rpartition("}")[2].encode()):
            raise _Broken("unsupported-encoding")  # RFC 6120 section 11.6: UTF-8 and nothing else
        self._root_name = as_sent[1].decode()
        namespace = self._root_namespaces.get(None)
        self._events.append(StreamOpened(self._qualified(name), attributes, namespace))

    def _open_stanza(self, name: str, attributes: dict[str, str]) -> None:
        at = self._parser.CurrentByteIndex
        if at >= self._fresh_at:
            raise _ReadOn(at)
        self._stanza_at = at
        self._parts = self._name_size = 0
        self._head = (name, attributes)
        self._builder = TreeBuilder()
        self._parser.CharacterDataHandler = self._builder.data

    def _finish(self, name: str) -> None:
        depth = self._depth = self._depth - 1
        builder = self._builder
        if builder is None:
            self._close_stream()
            return
        element = builder.end(self._names[name])
        if depth < _STANZA:
            self._builder = None
            self._parser.CharacterDataHandler = self._between
            size = self._parser.CurrentByteIndex - self._stanza_at
            if size > self._max_bytes:
                self._events.append(StanzaTooBig(element.tag, self._head[1], Refusal.TOO_LARGE))
            else:
                self._events.append(StanzaRead(element, size))

    def _close_stream(self) -> None:
        self._end(StreamClosed())
        self._parser.StartElementHandler = None
        self._parser.EndElementHandler = None
        self._parser.CharacterDataHandler = None

    def _qualified(self, name: str) -> str:
        """ElementTree's form of a name that expat gave, remembered until the next parser."""
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = f"{{{name}" if "}" in name else name
        return known

    def _refuse(self, refusal: Refusal) -> NoReturn:
        """Reports the stanza by its head, forgets what was built of it, and has the rest skipped."""
        at = self._parser.CurrentByteIndex
        if self._builder is None:
            self._stanza_at = at
            self._events.append(StanzaTooBig("", {}, refusal))
        else:
            name, attributes = self._head
            self._events.append(StanzaTooBig(self._qualified(name), attributes, refusal))
            self._builder = None
        raise _ReadOn(at, skips=True)
