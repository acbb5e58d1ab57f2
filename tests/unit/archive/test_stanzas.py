"""Each element of XEP-0136 and XEP-0241 comes back from its XML as it went in."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stanzavault.archive.model import (
    LINK_NAMES,
    Change,
    Content,
    Delete,
    Item,
    Keys,
    KeySet,
    List,
    Modified,
    Remove,
    Retrieve,
    Save,
    Summary,
)
from stanzavault.archive.stanza import xep_0136_answers as answers
from stanzavault.archive.stanza import xep_0136_parts as parts
from stanzavault.archive.stanza import xep_0136_requests as requests
from stanzavault.archive.stanza.xep_0136_parts import NAMESPACES
from stanzavault.kernel.limits import Limits
from stanzavault.kernel.paging import Page
from stanzavault.runtime.stream.writer import COMPONENT, to_wire
from stanzavault.wire.xml import element, qualified, serialize, written_size
from support.archive_generators import (
    filters,
    forms,
    instants,
    items,
    key_names,
    keys,
    names,
    namespaces,
    page_of,
    pages,
    saves,
    summaries,
)

LIMITS = Limits()


def through_xml(tree: ET.Element) -> ET.Element:
    return ET.fromstring(serialize(tree))


@given(saves, namespaces)
def test_save(save: Save, namespace: str) -> None:
    read = requests.parse_save(through_xml(requests.render_save(save, namespace)), LIMITS)
    assert read == save
    assert read.name.digits == save.name.digits


@given(st.builds(List, filters, pages), namespaces)
def test_list(asked: List, namespace: str) -> None:
    assert requests.parse_list(through_xml(requests.render_list(asked, namespace)), LIMITS) == asked


@given(st.builds(Retrieve, names(), pages, st.lists(key_names, unique=True).map(tuple)), namespaces)
def test_retrieve(asked: Retrieve, namespace: str) -> None:
    assert requests.parse_retrieve(through_xml(requests.render_retrieve(asked, namespace)), LIMITS) == asked


@given(
    st.one_of(
        st.builds(Remove, names()),
        st.builds(Remove, st.none(), filters.filter(lambda it: not (it.with_ and it.start and not it.end))),
        st.builds(Remove, st.none(), filters, st.just(True)),
    ),
    namespaces,
)
def test_remove(asked: Remove, namespace: str) -> None:
    assert requests.parse_remove(through_xml(requests.render_remove(asked, namespace))) == asked


@given(st.builds(Modified, instants, pages), namespaces)
def test_modified(asked: Modified, namespace: str) -> None:
    assert requests.parse_modified(through_xml(requests.render_modified(asked, namespace)), LIMITS) == asked


@given(st.builds(Keys, key_names, pages), namespaces)
def test_keys_xep_0241(asked: Keys, namespace: str) -> None:
    assert requests.parse_keys(through_xml(requests.render_keys(asked, namespace)), LIMITS) == asked


@given(st.builds(Delete, names(), st.lists(key_names, unique=True, min_size=1).map(tuple)), namespaces)
def test_delete_xep_0241(asked: Delete, namespace: str) -> None:
    assert requests.parse_delete(through_xml(requests.render_delete(asked, namespace))) == asked


@given(saves, st.integers(0, 10**6), namespaces)
def test_the_answer_to_save(save: Save, version: int, namespace: str) -> None:
    read = answers.parse_saved(through_xml(answers.render_saved(save, version, namespace)))
    assert read == Summary(save.name, version, save.subject, save.thread)


@given(page_of(summaries), namespaces)
def test_the_answer_to_list(page: Page[Summary], namespace: str) -> None:
    assert answers.parse_listed(through_xml(answers.render_listed(page, namespace))) == page


@given(page_of(st.builds(Change, names(), st.integers(0, 100), st.booleans())), namespaces)
def test_the_answer_to_modified(page: Page[Change], namespace: str) -> None:
    assert answers.parse_changes(through_xml(answers.render_changes(page, namespace))) == page


@given(
    page_of(st.builds(KeySet, names(), st.integers(0, 9), st.lists(keys, min_size=1, max_size=2).map(tuple))),
    namespaces,
)
def test_the_answer_to_keys_xep_0241(page: Page[KeySet], namespace: str) -> None:
    assert answers.parse_key_sets(through_xml(answers.render_key_sets(page, namespace))) == page


contents = st.builds(
    Content,
    summaries.map(lambda it: Summary(it.name, it.version, it.subject, it.thread)),
    page_of(items),
    st.dictionaries(st.sampled_from(LINK_NAMES), names()),
    st.none() | forms().filter(lambda form: bool(form.content)),
    st.lists(keys, max_size=2).map(tuple),
)


@given(contents, namespaces)
def test_the_answer_to_retrieve(content: Content, namespace: str) -> None:
    assert answers.parse_content(through_xml(answers.render_content(content, namespace)), LIMITS) == content


@given(items)
def test_an_item_is_read_again_as_it_was_kept(item: Item) -> None:
    assert parts.read_item(item.content) == item


@given(items, namespaces)
def test_an_item_takes_no_more_than_its_size_in_either_way_of_writing(item: Item, namespace: str) -> None:
    iq, empty = (element(qualified(COMPONENT, "iq")) for _ in range(2))
    empty.append(element(qualified(namespace, "chat"), text=" "))
    chat = element(qualified(namespace, "chat"), text=" ")
    chat.append(parts.render_item(item, namespace))
    iq.append(chat)
    assert len(to_wire(iq)) - len(to_wire(empty)) <= item.size
    assert len(serialize(chat)) <= item.size + written_size(element(chat.tag, text=" "), "")


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_content_of_other_namespaces_stays_as_it_is(namespace: str) -> None:
    said = (
        f"<save xmlns='{namespace}'><chat with='a@b' start='2020-01-01T00:00:00Z'><from secs='0'>"
        "<body xml:lang='en'>Hello\r\n  you &amp; me</body>"
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'> <key rid='2'>YQ==</key>\n"
        "</header><payload>YWJj</payload></encrypted><body xmlns='jabber:client'>x</body>"
        f"<x xmlns='urn:x' xmlns:y='{namespace}'><y:body y:a='b'/></x></from></chat></save>"
    )
    save = requests.parse_save(ET.fromstring(said), LIMITS)
    other = NAMESPACES[NAMESPACES.index(namespace) - 1]
    (kept,) = ET.fromstring(said)[0]
    for asked in (namespace, other):
        given_ = parts.render_item(save.items[0], asked)
        assert [ET.tostring(child) for child in given_[1:]] == [ET.tostring(child) for child in kept[1:]]
        assert given_[0].tag == qualified(asked, "body")
        assert (given_[0].text, given_[0].attrib) == (kept[0].text, kept[0].attrib)
        assert given_.attrib == {"secs": "0"}
