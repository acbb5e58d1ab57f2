"""What the archive answers, as XML (XEP-0136, sections 5, 7 and 8; XEP-0241, sections 4 to 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar
from xml.etree.ElementTree import Element

from stanzavault.archive.model import LINK_NAMES, Change, Content, Form, KeySet, Save, Summary
from stanzavault.archive.stanza.xep_0136_parts import (
    links_of,
    name_attributes,
    namespace_of,
    parse_form,
    parse_item,
    parse_name,
    parse_summary,
    render_form,
    render_item,
    render_link,
    summary_attributes,
)
from stanzavault.archive.stanza.xep_0241 import ENCRYPTED_DATA, ENCRYPTED_KEY, parse_key, render_key
from stanzavault.kernel.errors import BadRequest
from stanzavault.kernel.limits import Limits
from stanzavault.kernel.paging import Page
from stanzavault.wire import xep_0004, xep_0059
from stanzavault.wire.xml import add, element, integer, only_child, qualified, required, split

Entry = TypeVar("Entry")

_ITEMS = ("from", "to", "note")


def render_saved(save: Save, version: int, namespace: str) -> Element:
    """The answer to `<save/>`: what the upload told of the collection, with its version (section 5.2)."""
    tree = element(qualified(namespace, "save"))
    summary = Summary(save.name, version, save.subject, save.thread)
    add(tree, "chat", summary_attributes(summary, crypt=False))
    return tree


def parse_saved(payload: Element) -> Summary:
    """Read the answer to `<save/>`.

    Raises:
        BadRequest: it is not of its schema.
    """
    chat = only_child(payload, qualified(namespace_of(payload), "chat"))
    if chat is None:
        raise BadRequest("<save/> needs <chat/>.")
    return parse_summary(chat)


def render_listed(page: Page[Summary], namespace: str) -> Element:
    """The answer to `<list/>`; empty if nothing at all was found (section 7.1)."""
    return _paged("list", page, namespace, lambda summary: render_summary(summary, namespace))


def render_summary(summary: Summary, namespace: str) -> Element:
    """`<chat/>` in a list."""
    return element(qualified(namespace, "chat"), summary_attributes(summary, crypt=True))


def parse_listed(payload: Element) -> Page[Summary]:
    """Read the answer to `<list/>`.

    Raises:
        BadRequest: it is not of its schema.
    """
    chats = payload.findall(qualified(namespace_of(payload), "chat"))
    return replace(xep_0059.parse_page(payload), entries=tuple(map(parse_summary, chats)))


def render_content(content: Content, namespace: str) -> Element:
    """The answer to `<retrieve/>`: links, form, items, keys, in this order (sections 5.6, 5.7 and 7.2)."""
    chat = render_head(content, namespace)
    chat.extend(render_item(item, namespace) for item in content.page.entries)
    chat.extend(render_key(key) for key in content.keys)
    if content.page.first is not None or content.page.count:
        chat.append(xep_0059.render(content.page))
    return chat


def render_head(content: Content, namespace: str) -> Element:
    """`<chat/>` with what stands before the items."""
    chat = element(qualified(namespace, "chat"), summary_attributes(content.summary, crypt=False))
    for link in LINK_NAMES:
        if link in content.links:
            chat.append(render_link(link, content.links[link], namespace))
    if content.form is not None:
        chat.append(render_form(content.form))
    return chat


def parse_content(chat: Element, limits: Limits) -> Content:
    """Read the answer to `<retrieve/>`.

    Raises:
        BadRequest: it is not of its schema.
    """
    namespace = namespace_of(chat)
    kept = {ENCRYPTED_DATA, *(qualified(namespace, name) for name in _ITEMS)}
    items = tuple(parse_item(child) for child in chat if child.tag in kept)
    form = only_child(chat, xep_0004.FORM)
    found: Form | None = None if form is None else parse_form(form, limits.fields)
    return Content(
        parse_summary(chat),
        replace(xep_0059.parse_page(chat), entries=items),
        {link: name for link, name in links_of(chat, LINK_NAMES).items() if name is not None},
        found,
        tuple(parse_key(key, namespace) for key in chat.findall(ENCRYPTED_KEY)),
    )


def render_changes(page: Page[Change], namespace: str) -> Element:
    """The answer to `<modified/>` (section 8)."""
    return _paged("modified", page, namespace, lambda change: render_change(change, namespace))


def render_change(change: Change, namespace: str) -> Element:
    """`<changed/>` or `<removed/>`."""
    return element(
        qualified(namespace, "removed" if change.removed else "changed"),
        {**name_attributes(change.name), "version": str(change.version)},
    )


def parse_changes(payload: Element) -> Page[Change]:
    """Read the answer to `<modified/>`.

    Raises:
        BadRequest: it is not of its schema.
    """
    namespace = namespace_of(payload)
    changes = tuple(
        Change(
            parse_name(child),
            integer(required(child, "version"), "'version'"),
            split(child.tag)[1] == "removed",
        )
        for child in payload
        if child.tag in (qualified(namespace, "changed"), qualified(namespace, "removed"))
    )
    return replace(xep_0059.parse_page(payload), entries=changes)


def render_key_sets(page: Page[KeySet], namespace: str) -> Element:
    """The answer to `<keys/>` (XEP-0241, section 6)."""
    return _paged("keys", page, namespace, lambda keys: render_key_set(keys, namespace))


def render_key_set(keys: KeySet, namespace: str) -> Element:
    """`<chat/>` with the keys of one collection."""
    chat = element(qualified(namespace, "chat"), {**name_attributes(keys.name), "version": str(keys.version)})
    chat.extend(map(render_key, keys.keys))
    return chat


def parse_key_sets(payload: Element) -> Page[KeySet]:
    """Read the answer to `<keys/>`.

    Raises:
        BadRequest: it is not of its schema.
    """
    namespace = namespace_of(payload)
    sets = tuple(
        KeySet(
            parse_name(chat),
            integer(required(chat, "version"), "'version'"),
            tuple(parse_key(key, namespace) for key in chat.findall(ENCRYPTED_KEY)),
        )
        for chat in payload.findall(qualified(namespace, "chat"))
    )
    return replace(xep_0059.parse_page(payload), entries=sets)


def _paged(name: str, page: Page[Entry], namespace: str, render: Callable[[Entry], Element]) -> Element:
    tree = element(qualified(namespace, name))
    for entry in page.entries:
        tree.append(render(entry))
    if page.first is not None or page.count != 0:
        tree.append(xep_0059.render(page))
    return tree
