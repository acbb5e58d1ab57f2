"""Result set management (XEP-0059)."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import BadRequest
from stanzavault.kernel.paging import Page, PageRequest
from stanzavault.wire.xml import add, character_data, element, integer, only_child, only_known, qualified

NAMESPACE = "http://jabber.org/protocol/rsm"
SET = qualified(NAMESPACE, "set")
_CHILDREN = ("max", "after", "before", "index", "first", "last", "count")
_LONGEST_CURSOR = 4096


def parse(container: Element, most: int) -> PageRequest:
    """The page that `container` asks for through its `<set/>`; without one, the first page.

    Args:
        container: the element that may hold `<set/>`.
        most: the deployment's limit of entries on a page.

    Raises:
        BadRequest: the `<set/>` is not of its schema, or asks for two places at once.
    """
    wanted = only_child(container, SET)
    if wanted is None:
        return PageRequest(most)
    only_known(wanted, children=[qualified(NAMESPACE, name) for name in _CHILDREN])
    texts: dict[str, str] = {}
    for name in _CHILDREN:
        child = only_child(wanted, qualified(NAMESPACE, name))
        if child is not None:
            texts[name] = character_data(child)
    places = [name for name in ("after", "before", "index") if name in texts]
    if len(places) > 1:
        raise BadRequest(f"<set/> asks for {' and '.join(places)} at once.")
    for name in ("after", "before"):
        if len(texts.get(name, "")) > _LONGEST_CURSOR:
            raise BadRequest(f"<{name}/> is longer than any item's id.")
    asked = integer(texts["max"], "<max/>") if "max" in texts else most
    index = integer(texts["index"], "<index/>") if "index" in texts else None
    return PageRequest(min(asked, most), texts.get("after") or None, texts.get("before"), index)


def render_request(asked: PageRequest) -> Element:
    """The `<set/>` that asks for a page."""
    request = element(SET)
    add(request, "max", text=str(asked.most))
    if asked.after is not None:
        add(request, "after", text=asked.after)
    if asked.before is not None:
        add(request, "before", text=asked.before)
    if asked.index is not None:
        add(request, "index", text=str(asked.index))
    return request


def parse_page(container: Element) -> Page[Any]:
    """What the `<set/>` in an answer tells of the page, which is given without entries.

    `complete` is false: only the protocol that uses result sets may tell it.

    Raises:
        BadRequest: the `<set/>` is not of its schema.
    """
    told = only_child(container, SET)
    if told is None:
        return Page((), complete=False)
    found = {name: only_child(told, qualified(NAMESPACE, name)) for name in ("first", "last", "count")}
    texts = {name: character_data(child) for name, child in found.items() if child is not None}
    place = found["first"].get("index") if found["first"] is not None else None
    return Page(
        (),
        first=texts.get("first"),
        last=texts.get("last"),
        index=None if place is None else integer(place, "'index'"),
        count=integer(texts["count"], "<count/>") if "count" in texts else None,
        complete=False,
    )


def render(page: Page[Any]) -> Element:
    """The `<set/>` that describes a page (section 2)."""
    answer = element(SET)
    if page.first is not None and page.last is not None:
        index = None if page.index is None else str(page.index)
        add(answer, "first", {"index": index}, page.first)
        add(answer, "last", text=page.last)
    if page.count is not None:
        add(answer, "count", text=str(page.count))
    return answer
