"""What archives need of the shared XML: bounds in the year 0000, precision, characters, pages as told."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stanzavault.kernel.errors import BadRequest
from stanzavault.kernel.paging import Page, PageRequest
from stanzavault.wire import xep_0059, xep_0082
from stanzavault.wire.xml import element, only_characters, parse, serialize


@pytest.mark.parametrize(
    "text", ["0000-01-01T00:00:00Z", "0000-02-29T12:00:00.5+01:00", " 0000-12-31T23:59:59Z"]
)
def test_xep_0082_the_year_0000_bounds_from_the_beginning(text: str) -> None:
    assert xep_0082.parse_bound(text) == datetime.min.replace(tzinfo=UTC)
    with pytest.raises(BadRequest):
        xep_0082.parse(text)


@pytest.mark.parametrize(
    "text", ["0000", "0000-13-01T00:00:00Z", "0000-01-32T00:00:00Z", "0000-01-01T00:00:00"]
)
def test_xep_0082_a_bound_is_a_time_even_in_the_year_0000(text: str) -> None:
    with pytest.raises(BadRequest):
        xep_0082.parse_bound(text)


def test_xep_0082_other_bounds_are_times_as_any() -> None:
    assert xep_0082.parse_bound("2020-01-01T00:00:00Z") == datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("2020-01-01T00:00:00.00Z", "2020-01-01T00:00:00.00Z"),
        ("2020-01-01T01:00:00.1230+01:00", "2020-01-01T00:00:00.1230Z"),
        ("2020-01-01T00:00:00.123456789Z", "2020-01-01T00:00:00.123456Z"),
        ("20200101T00:00:00", "2020-01-01T00:00:00Z"),
    ],
)
def test_xep_0082_a_time_is_shown_as_precise_as_it_was_written(text: str, shown: str) -> None:
    assert xep_0082.render(xep_0082.parse(text), xep_0082.fraction_digits(text)) == shown


cursors = st.text("abc<&>'\"", min_size=1)
places = st.one_of(
    st.builds(PageRequest, st.integers(0, 100)),
    st.builds(lambda cursor: PageRequest(5, after=cursor), cursors),
    st.builds(lambda cursor: PageRequest(5, before=cursor), st.just("") | cursors),
    st.builds(lambda index: PageRequest(5, index=index), st.integers(0, 10**6)),
)


@given(places)
def test_xep_0059_a_request_for_a_page_is_read_as_it_was_written(asked: PageRequest) -> None:
    container = element("list")
    container.append(xep_0059.render_request(asked))
    assert xep_0059.parse(parse(serialize(container)), 100) == asked


@given(cursors, cursors, st.none() | st.integers(0, 10**6), st.none() | st.integers(0, 10**6))
def test_xep_0059_a_page_is_read_as_it_was_described(
    first: str, last: str, index: int | None, count: int | None
) -> None:
    page: Page[str] = Page((), first, last, index, count, complete=False)
    container = element("list")
    container.append(xep_0059.render(page))
    assert xep_0059.parse_page(parse(serialize(container))) == page


def test_xep_0059_an_answer_without_a_set_tells_nothing_of_its_page() -> None:
    assert xep_0059.parse_page(element("list")) == Page((), complete=False)


@pytest.mark.parametrize("inner", ["<first index='x'>a</first><last>a</last>", "<count>many</count>"])
def test_xep_0059_a_broken_description_is_refused(inner: str) -> None:
    with pytest.raises(BadRequest):
        xep_0059.parse_page(ET.fromstring(f"<list><set xmlns='{xep_0059.NAMESPACE}'>{inner}</set></list>"))


@given(st.text(st.characters(exclude_categories=["Cs", "Cn", "Cc"]) | st.sampled_from("\t\n\r")))
def test_text_is_read_as_it_was_serialized_line_breaks_included(text: str) -> None:
    tree = element("a", {"b": text}, text)
    only_characters(tree)
    read = parse(serialize(tree))
    assert (read.text or "", read.get("b")) == (text, text)


@pytest.mark.parametrize("character", ["\0", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_does_not_carry_is_refused_wherever_it_stands(character: str) -> None:
    inner = element("c")
    inner.tail = character
    outer = element("a")
    outer.append(inner)
    for tree in (element("a", text=character), element("a", {"b": f"x{character}"}), outer):
        with pytest.raises(BadRequest):
            only_characters(tree)
