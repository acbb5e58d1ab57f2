"""What collections are made of, as XML: names, items, links and forms (XEP-0136, sections 4 and 5).

Every element may stand in either of the two namespaces that XEP-0136 and XEP-0241 use, and is answered in the
one that was asked in. So items are kept with the archive's own names in no namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from stanzavault.archive.model import CollectionName, Form, Item, ItemKind, LinkName, Summary
from stanzavault.archive.stanza import xep_0241
from stanzavault.archive.stanza.xep_0241 import ENCRYPTED_DATA
from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import BadRequest
from stanzavault.wire import xep_0004, xep_0082, xml
from stanzavault.wire.xml import (
    address,
    character_data,
    element,
    integer,
    only_known,
    qualified,
    required,
    split,
)  # fmt: skip

NAMESPACE = "urn:xmpp:archive"
NAMESPACES = (NAMESPACE, "urn:xmpp:tmp:archive")

_MESSAGE_ATTRIBUTES = ("secs", "utc", "name", "jid")
_KEPT_KINDS = {kind.value: kind for kind in ItemKind if kind is not ItemKind.ENCRYPTED}
_REGISTERED = {"type": "submit"}


def namespace_of(tree: Element) -> str:
    """Which of the two namespaces an element stands in."""
    return split(tree.tag)[0]


def no_text(tree: Element) -> None:
    """Refuse character data between the children of an element that holds elements alone.

    Raises:
        BadRequest: there is some.
    """
    if any(text.strip() for text in (tree.text or "", *(child.tail or "" for child in tree))):
        raise BadRequest(f"<{split(tree.tag)[1]}/> holds elements alone.")


def parse_name(tree: Element) -> CollectionName:
    """The collection that the attributes 'with' and 'start' name (section 4).

    Raises:
        BadRequest: one of them is missing, or the start is no time.
        JidMalformed: 'with' is no address.
    """
    written = required(tree, "start")
    start = xep_0082.parse(written, "'start'")
    return CollectionName(address(tree, "with"), start, xep_0082.fraction_digits(written))


def name_attributes(name: CollectionName) -> dict[str, str | None]:
    """The attributes that name a collection."""
    return {"with": str(name.with_), "start": xep_0082.render(name.start, name.digits)}


def parse_summary(tree: Element) -> Summary:
    """The attributes of `<chat/>` in an answer.

    Raises:
        BadRequest: they are not of their schema.
        JidMalformed: 'with' is no address.
    """
    return Summary(
        parse_name(tree),
        integer(required(tree, "version"), "'version'"),
        tree.get("subject"),
        tree.get("thread"),
        xml.boolean(tree, "crypt", default=False),
    )


def summary_attributes(summary: Summary, *, crypt: bool) -> dict[str, str | None]:
    """Every attribute of `<chat/>`; 'crypt' is told where collections are listed (XEP-0241, section 4)."""
    return {
        **name_attributes(summary.name),
        "subject": summary.subject,
        "thread": summary.thread,
        "crypt": "true" if crypt and summary.encrypted else None,
        "version": str(summary.version),
    }


def parse_item(tree: Element) -> Item:
    """Read `<from/>`, `<to/>` or `<note/>` in either namespace, or `<EncryptedData/>`.

    Raises:
        BadRequest: it is not of its schema, or empty.
        JidMalformed: the sender in a room is no address.
    """
    if tree.tag == ENCRYPTED_DATA:
        return xep_0241.parse_data(tree, NAMESPACE)
    kind = _KEPT_KINDS[split(tree.tag)[1]]
    if kind is ItemKind.NOTE:
        only_known(tree, attributes=("utc",))
        kept = element(kind.value, dict(tree.items()), character_data(tree))
    else:
        only_known(tree, attributes=_MESSAGE_ATTRIBUTES, children={child.tag for child in tree})
        kept = _kept_message(tree)
    return _item(kind, xml.serialize(kept), tree)


def read_item(content: bytes) -> Item:
    """An item as it was kept."""
    tree = xml.parse(content)
    if tree.tag == ENCRYPTED_DATA:
        return xep_0241.read_item(content, NAMESPACE)
    return _item(_KEPT_KINDS[tree.tag], content, _placed(tree, NAMESPACE))


def _item(kind: ItemKind, content: bytes, tree: Element) -> Item:
    secs, utc = tree.get("secs"), tree.get("utc")
    return Item(
        kind,
        content,
        xml.written_size(tree, namespace_of(tree)),
        None if secs is None else integer(secs, "'secs'"),
        None if utc is None else xep_0082.parse(utc, "'utc'"),
    )


def render_item(item: Item, namespace: str) -> Element:
    """An item in the namespace that was asked in."""
    tree = xml.parse(item.content)
    return tree if item.kind is ItemKind.ENCRYPTED else _placed(tree, namespace)


def parse_link(tree: Element) -> CollectionName | None:
    """The collection that a link leads to, None where it asks to remove the link (section 5.6).

    Raises:
        BadRequest: one of 'with' and 'start' is missing.
        JidMalformed: 'with' is no address.
    """
    only_known(tree, attributes=("with", "start"))
    return parse_name(tree) if tree.attrib else None


def render_link(link: LinkName, name: CollectionName | None, namespace: str) -> Element:
    """`<previous/>` or `<next/>`."""
    return element(qualified(namespace, link), name_attributes(name) if name else {})


def parse_form(tree: Element, most_fields: int) -> Form:
    """Read the attributes of a collection, whose fields may be encrypted (section 5.7; XEP-0241, section 2).

    Raises:
        BadRequest: it is no submitted form.
        NotAcceptable: it has more than `most_fields`.
    """
    if xep_0004.parse(tree, most_fields).type != "submit":
        raise BadRequest("The attributes of a collection are a form of type submit.")
    if not len(tree):
        return Form(b"", 0)
    names = dict.fromkeys(map(xep_0241.check_data, tree.findall(ENCRYPTED_DATA)))
    kept = element(tree.tag, dict(tree.items()), tree.text)
    kept.extend(tree)
    return Form(xml.serialize(kept), xml.written_size(tree, NAMESPACE), tuple(names))


def render_form(form: Form) -> Element:
    """The attributes of a collection, as they were uploaded; an empty form where they are to be removed."""
    return xml.parse(form.content) if form.content else element(xep_0004.FORM, dict(_REGISTERED))


def links_of(tree: Element, names: tuple[LinkName, ...]) -> Mapping[LinkName, CollectionName | None]:
    """The links in a collection, each at most once.

    Raises:
        BadRequest: a link stands there twice, or is not of its schema.
        JidMalformed: the 'with' of a link is no address.
    """
    links: dict[LinkName, CollectionName | None] = {}
    for name in names:
        child = xml.only_child(tree, qualified(namespace_of(tree), name))
        if child is not None:
            links[name] = parse_link(child)
    return links


def _kept_message(tree: Element) -> Element:
    """A message with the archive's own names in no namespace, and no space between its children."""
    namespace, name = split(tree.tag)
    no_text(tree)
    if not len(tree):
        raise BadRequest(f"<{name}/> is empty.")
    sender = tree.get("jid")
    if sender is not None:
        Address.parse(sender)
    kept = element(name, dict(tree.items()))
    for child in tree:
        child_namespace, child_name = split(child.tag)
        if child_namespace in NAMESPACES or not child_namespace:
            if child_namespace != namespace or child_name != "body":
                raise BadRequest(f"<{child_name}/> does not stand in <{name}/>.")
            kept.append(element("body", dict(child.items()), character_data(child)))
        else:
            other = element(child.tag, dict(child.items()), child.text)
            other.extend(child)
            kept.append(other)
    return kept


def _placed(kept: Element, namespace: str) -> Element:
    """Put the archive's own names back into a namespace."""
    tree = element(qualified(namespace, kept.tag), dict(kept.items()), kept.text)
    for child in kept:
        if not split(child.tag)[0]:
            child.tag = qualified(namespace, child.tag)
        tree.append(child)
    return tree
