"""The XML that slices share is read strictly: dates (XEP-0082), result sets (XEP-0059), forms (XEP-0004)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stanzavault.kernel.clock import from_micros
from stanzavault.kernel.errors import BadRequest, NotAcceptable
from stanzavault.kernel.paging import Page, PageRequest
from stanzavault.wire import xep_0004, xep_0059, xep_0082
from stanzavault.wire.xml import boolean, element, integer, only_known, parse, serialize

RSM = "http://jabber.org/protocol/rsm"


@given(st.integers(-62_000_000_000_000_000, 250_000_000_000_000_000).map(from_micros))
def test_xep_0082_a_time_is_read_as_it_was_written(instant: datetime) -> None:
    assert xep_0082.parse(xep_0082.render(instant)) == instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1969-07-21T02:56:15Z", datetime(1969, 7, 21, 2, 56, 15, tzinfo=UTC)),
        ("1969-07-20T21:56:15-05:00", datetime(1969, 7, 21, 2, 56, 15, tzinfo=UTC)),
        ("2002-09-10T23:08:25.123456789Z", datetime(2002, 9, 10, 23, 8, 25, 123456, tzinfo=UTC)),
        ("20020910T23:08:25", datetime(2002, 9, 10, 23, 8, 25, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        (" 1469-07-21T02:56:15Z\n", datetime(1469, 7, 21, 2, 56, 15, tzinfo=UTC)),
    ],
)
def test_xep_0082_times(text: str, instant: datetime) -> None:
    assert xep_0082.parse(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2002-09-10",
        "2002-13-10T23:08:25Z",
        "2002-09-10T24:08:25Z",
        "2002-09-10T23:08:25",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59-01:00",
        "٢٠٠٢-09-10T23:08:25Z",
        "2002-09-10T23:08:25.Z",
        "2002-02-30T00:00:00Z",
        "2002-09-10T23:08:25+99:00",
        "1' OR 1=1",
    ],
)
def test_xep_0082_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        xep_0082.parse(text)


def test_xep_0082_a_naive_time_is_never_written() -> None:
    with pytest.raises(ValueError, match="time zone"):
        xep_0082.render(datetime(2020, 1, 1))  # noqa: DTZ001 - naive on purpose
    shifted = datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert xep_0082.render(shifted) == "2019-12-31T22:00:00Z"


def asked(inner: str) -> PageRequest:
    return xep_0059.parse(parse(f"<q><set xmlns='{RSM}'>{inner}</set></q>"), 100)


@pytest.mark.parametrize(
    ("inner", "request_"),
    [
        ("", PageRequest(100)),
        ("<max>10</max>", PageRequest(10)),
        ("<max>100000</max>", PageRequest(100)),
        ("<max>0</max>", PageRequest(0)),
        ("<max>10</max><after>peter@pixyland.org</after>", PageRequest(10, after="peter@pixyland.org")),
        ("<max>10</max><before/>", PageRequest(10, before="")),
        ("<before>x</before>", PageRequest(100, before="x")),
        ("<index>371</index>", PageRequest(100, index=371)),
    ],
)
def test_xep_0059_what_a_page_asks_for(inner: str, request_: PageRequest) -> None:
    assert asked(inner) == request_


@pytest.mark.parametrize(
    "inner",
    [
        "<max>-1</max>",
        "<max>1e3</max>",
        "<max>٣</max>",
        "<max/>",
        "<max>1</max><max>2</max>",
        "<after>a</after><before>b</before>",
        "<after>a</after><index>1</index>",
        "<index>-3</index>",
        "<unknown/>",
        "<max><b/></max>",
        pytest.param(f"<after>{'a' * 5000}</after>", id="long cursor"),
        pytest.param(f"<max>{'9' * 400}</max>", id="long number"),
    ],
)
def test_xep_0059_what_is_not_of_the_schema_is_refused(inner: str) -> None:
    with pytest.raises(BadRequest):
        asked(inner)


def test_xep_0059_a_page_without_a_set_is_the_first_one() -> None:
    assert xep_0059.parse(parse("<q/>"), 50) == PageRequest(50)


def test_xep_0059_a_page_is_described() -> None:
    described = xep_0059.render(Page(["a", "b"], first="a", last="b", index=3, count=9))
    assert serialize(described).decode().replace("ns0:", "").replace(":ns0", "") == (
        f'<set xmlns="{RSM}"><first index="3">a</first><last>b</last><count>9</count></set>'
    )
    assert [child.tag for child in xep_0059.render(Page([], count=0))] == [f"{{{RSM}}}count"]


@given(
    st.dictionaries(
        st.text(st.sampled_from("abc#_/"), min_size=1, max_size=9),
        st.lists(st.text(st.sampled_from("xyz <&'\""), max_size=9), max_size=3).map(tuple),
        max_size=5,
    )
)
def test_xep_0004_a_form_is_read_as_it_was_written(values: dict[str, tuple[str, ...]]) -> None:
    form = xep_0004.Form("submit", "urn:example", values)
    assert xep_0004.parse(parse(serialize(xep_0004.render(form))), 256) == form


def test_xep_0004_a_form_of_a_hundred_thousand_fields_is_refused() -> None:
    tree = xep_0004.render(xep_0004.Form("submit", "", {str(number): ("x",) for number in range(10**5)}))
    with pytest.raises(NotAcceptable):
        xep_0004.parse(tree, 256)


@pytest.mark.parametrize(
    "inner",
    [
        "<field><value>nameless</value></field>",
        "<field var='a'/><field var='a'/>",
        "<field var='a'><value><b/></value></field>",
    ],
)
def test_xep_0004_a_broken_form_is_refused(inner: str) -> None:
    with pytest.raises(BadRequest):
        xep_0004.parse(parse(f"<x xmlns='jabber:x:data' type='submit'>{inner}</x>"), 256)
    with pytest.raises(BadRequest):
        xep_0004.parse(parse("<x xmlns='jabber:x:data' type='other'/>"), 256)


def test_attributes_are_read_strictly() -> None:
    tree = element("chat", {"save": "yes", "open": "1", "with": "x"})
    assert boolean(tree, "open", default=False)
    assert not boolean(tree, "missing", default=False)
    with pytest.raises(BadRequest, match="true or false"):
        boolean(tree, "save", default=False)
    with pytest.raises(BadRequest, match="no attribute 'with'"):
        only_known(tree, attributes=["save", "open"])
    for text in ("", "x", "1.0", "--1", "9" * 30):
        with pytest.raises(BadRequest):
            integer(text, "<max/>")
