"""Hypothesis strategies for everything that an archive's stanzas are made of."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import strategies as st

from stanzavault.archive.model import (
    LINK_NAMES,
    CollectionName,
    Filter,
    Form,
    Item,
    Save,
    Summary,
)
from stanzavault.archive.stanza import xep_0136_parts as parts
from stanzavault.archive.stanza import xep_0241
from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import from_micros
from stanzavault.kernel.paging import Page, PageRequest
from stanzavault.wire import xep_0082
from stanzavault.wire.xml import element, qualified
from support.archive_stanzas import ARCHIVE, data, key

namespaces = st.sampled_from(parts.NAMESPACES)
text = st.text(
    st.characters(exclude_categories=["Cs", "Cn", "Cc"]) | st.sampled_from("\t\n\r<&>\"'"), max_size=20
)
instants = st.integers(-62_000_000_000_000_000, 253_000_000_000_000_000).map(from_micros)
addresses = st.sampled_from(
    ["a@b", "a@b/c", "b", "b/c", "juliet@capulet.com/čamber", "ohara@example.org/'\"&<>"]
).map(Address.parse)


@st.composite
def names(draw: st.DrawFn) -> CollectionName:
    digits = draw(st.integers(0, 6))
    start = draw(instants)
    kept = start.microsecond // 10 ** (6 - digits) * 10 ** (6 - digits)
    return CollectionName(draw(addresses), start.replace(microsecond=kept), digits)


@st.composite
def messages(draw: st.DrawFn) -> Item:
    tree = element(qualified(ARCHIVE, draw(st.sampled_from(["from", "to"]))))
    if draw(st.booleans()):
        tree.set("secs", str(draw(st.integers(0, 2**31 - 1))))
    if draw(st.booleans()):
        tree.set("utc", xep_0082.render(draw(instants)))
    if draw(st.booleans()):
        tree.set("name", draw(text))
        tree.set("jid", str(draw(addresses)))
    bodies = [element(qualified(ARCHIVE, "body"), text=draw(text)) for _ in range(draw(st.integers(0, 2)))]
    others = draw(st.lists(foreign(), min_size=0 if bodies else 1, max_size=2))
    tree.extend([*bodies, *others])
    return parts.parse_item(tree)


@st.composite
def foreign(draw: st.DrawFn, depth: int = 2) -> ET.Element:
    namespace = draw(st.sampled_from(["urn:example:a", "urn:example:b", "jabber:client"]))
    tree = element(qualified(namespace, draw(st.sampled_from(["body", "from", "x"]))), {"a": draw(text)})
    tree.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    tree.text = draw(text)
    if depth:
        for child in draw(st.lists(foreign(depth=depth - 1), max_size=2)):
            child.tail = draw(text)
            tree.append(child)
    return tree


notes = st.builds(
    lambda said, time: parts.parse_item(
        element(qualified(ARCHIVE, "note"), {"utc": xep_0082.render(time)}, said)
    ),
    text,
    instants,
)
key_names = st.sampled_from(["dataKey1", "čé&<", "a b"])
escaped = key_names.map(lambda name: name.replace("&", "&amp;").replace("<", "&lt;"))
encrypted = escaped.map(lambda name: parts.parse_item(ET.fromstring(data(name))))
keys = st.tuples(escaped, escaped).map(lambda pair: xep_0241.parse_key(ET.fromstring(key(*pair)), ARCHIVE))
items = st.one_of(messages(), notes, encrypted)


@st.composite
def forms(draw: st.DrawFn) -> Form:
    tree = element("{jabber:x:data}x", {"type": "submit"})
    for number in range(draw(st.integers(0, 3))):
        field = element("{jabber:x:data}field", {"var": str(number)})
        field.append(element("{jabber:x:data}value", text=draw(text)))
        tree.append(field)
    if draw(st.booleans()):
        tree.append(ET.fromstring(data("dataKey1")))
    return parts.parse_form(tree, 10)


pages = st.one_of(
    st.builds(PageRequest, st.integers(0, 100)),
    st.builds(lambda most, cursor: PageRequest(most, after=cursor), st.integers(0, 100), text.filter(len)),
    st.builds(lambda most, cursor: PageRequest(most, before=cursor), st.integers(0, 100), text),
    st.builds(lambda most, index: PageRequest(most, index=index), st.integers(0, 100), st.integers(0, 10**6)),
)
maybe_link = st.none() | names()
saves = st.builds(
    Save,
    names(),
    st.none() | text,
    st.none() | text,
    st.dictionaries(st.sampled_from(LINK_NAMES), maybe_link),
    st.none() | forms(),
    st.lists(items, max_size=4),
    st.lists(keys, max_size=2),
)
filters = st.builds(Filter, st.none() | addresses, st.booleans(), st.none() | instants, st.none() | instants)
summaries = st.builds(
    Summary, names(), st.integers(0, 10**6), st.none() | text, st.none() | text, st.booleans()
)


def described(entries: list[object]) -> st.SearchStrategy[Page[object]]:
    if not entries:
        return st.builds(lambda count: Page((), count=count, complete=False), st.integers(1, 100))
    cursor = text.filter(len)
    place = st.none() | st.integers(0, 10**6)
    return st.builds(
        lambda first, last, index, count: Page(tuple(entries), first, last, index, count, complete=False),
        cursor, cursor, place, place,
    )  # fmt: skip


def page_of(entries: st.SearchStrategy[object]) -> st.SearchStrategy[Page[object]]:
    return st.lists(entries, max_size=3).flatmap(described)
