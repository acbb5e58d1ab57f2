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
