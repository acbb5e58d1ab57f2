"""What an owner asks of its archive, as XML (XEP-0136, sections 5, 7 and 8; XEP-0241, section 6)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from stanzavault.archive.model import (
    LINK_NAMES,
    Delete,
    EncryptedKey,
    Filter,
    Item,
    Keys,
    List,
    Modified,
    Remove,
    Retrieve,
    Save,
)  # fmt: skip
from stanzavault.archive.stanza.xep_0136_parts import (
    NAMESPACES,
    links_of,
    name_attributes,
    namespace_of,
    no_text,
    parse_form,
    parse_item,
    parse_name,
    render_form,
    render_item,
    render_link,
)
from stanzavault.archive.stanza.xep_0241 import (
    ENCRYPTED_DATA,
    ENCRYPTED_KEY,
    KEY_NAME,
    parse_key,
    parse_key_names,
    render_key,
    render_key_names,
)
from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import BadRequest, FeatureNotImplemented
from stanzavault.kernel.limits import Limits
from stanzavault.wire import xep_0004, xep_0059, xep_0082
from stanzavault.wire.xml import (
    add,
    boolean,
    element,
    only_characters,
    only_child,
    only_known,
    qualified,
    required,
    split,
)  # fmt: skip

_CHAT_ATTRIBUTES = ("with", "start", "subject", "thread", "version", "crypt")
_ITEMS = frozenset({"from", "to", "note"})
_RANGE = ("with", "exactmatch", "start", "end")


def parse_save(payload: Element, limits: Limits) -> Save:
    """Read `<save/>` with its one `<chat/>`; a version that the client tells is ignored (section 4.4).

    Raises:
        BadRequest: it is not of its schema, or holds what XML can't carry.
        JidMalformed: an address in it is none.
        NotAcceptable: its form has too many fields.
        FeatureNotImplemented: an element stands in it that an archive does not keep.
    """
    only_characters(payload)
    chat_tag = qualified(namespace_of(payload), "chat")
    only_known(payload, children=(chat_tag,))
    no_text(payload)
    chat = only_child(payload, chat_tag)
    if chat is None:
        raise BadRequest("<save/> needs <chat/>.")
    only_known(chat, attributes=_CHAT_ATTRIBUTES, children={child.tag for child in chat})
    no_text(chat)
    items, keys = _uploaded(chat)
    form = only_child(chat, xep_0004.FORM)
    return Save(
        parse_name(chat),
        chat.get("subject"),
        chat.get("thread"),
        links_of(chat, LINK_NAMES),
        None if form is None else parse_form(form, limits.fields),
        items,
        keys,
    )


def _uploaded(chat: Element) -> tuple[list[Item], list[EncryptedKey]]:
    namespace = namespace_of(chat)
    items: list[Item] = []
    keys: list[EncryptedKey] = []
    for child in chat:
        child_namespace, name = split(child.tag)
        if child.tag == ENCRYPTED_DATA or (child_namespace == namespace and name in _ITEMS):
            items.append(parse_item(child))
        elif child.tag == ENCRYPTED_KEY:
            keys.append(parse_key(child, namespace))
        elif child_namespace in NAMESPACES or not child_namespace:
            if child_namespace != namespace or name not in LINK_NAMES:
                raise BadRequest(f"<{name}/> does not stand in <chat/>.")
        elif child.tag != xep_0004.FORM:
            raise FeatureNotImplemented(f"<{name}/> is archived within a message, not beside it.")
    return items, keys


def render_save(save: Save, namespace: str) -> Element:
    """`<save/>` as a client sends it."""
    tree = element(qualified(namespace, "save"))
    chat = add(tree, "chat", {**name_attributes(save.name), "subject": save.subject, "thread": save.thread})
    chat.extend(render_link(link, name, namespace) for link, name in save.links.items())
    if save.form is not None:
        chat.append(render_form(save.form))
    chat.extend(render_item(item, namespace) for item in save.items)
    chat.extend(render_key(key) for key in save.keys)
    return tree


def parse_list(payload: Element, limits: Limits) -> List:
    """Read `<list/>` as a request.

    Raises:
        BadRequest: it is not of its schema.
        JidMalformed: 'with' is no address.
    """
    _only(payload, _RANGE)
    return List(_filter(payload), xep_0059.parse(payload, limits.page))


def render_list(asked: List, namespace: str) -> Element:
    """`<list/>` as a request."""
    tree = element(qualified(namespace, "list"), _filter_attributes(asked.filter))
    tree.append(xep_0059.render_request(asked.page))
    return tree


def parse_retrieve(payload: Element, limits: Limits) -> Retrieve:
    """Read `<retrieve/>`, which never has 'exactmatch' (section 7.2).

    Raises:
        BadRequest: it is not of its schema.
        JidMalformed: 'with' is no address.
        NotAcceptable: it names too many public keys.
    """
    _only(payload, ("with", "start"))
    return Retrieve(parse_name(payload), xep_0059.parse(payload, limits.page), parse_key_names(payload))


def render_retrieve(asked: Retrieve, namespace: str) -> Element:
    """`<retrieve/>` as a request."""
    tree = element(qualified(namespace, "retrieve"), name_attributes(asked.name))
    tree.extend(render_key_names(asked.public_names))
    tree.append(xep_0059.render_request(asked.page))
    return tree


def parse_remove(payload: Element) -> Remove:
    """Read `<remove/>`: with 'with' and 'start' alone it names one collection (section 7.3).

    Raises:
        BadRequest: it is not of its schema.
        JidMalformed: 'with' is no address.
    """
    only_known(payload, attributes=(*_RANGE, "open"))
    no_text(payload)
    is_open = boolean(payload, "open", default=False)
    named = not is_open and payload.get("end") is None and {"with", "start"}.issubset(payload.keys())
    if not named:
        return Remove(filter=_filter(payload), open=is_open)
    boolean(payload, "exactmatch", default=True)
    return Remove(parse_name(payload))


def render_remove(asked: Remove, namespace: str) -> Element:
    """`<remove/>`."""
    named = name_attributes(asked.name) if asked.name else _filter_attributes(asked.filter)
    return element(qualified(namespace, "remove"), {**named, "open": "true" if asked.open else None})


def parse_modified(payload: Element, limits: Limits) -> Modified:
    """Read `<modified/>` as a request (section 8).

    Raises:
        BadRequest: it is not of its schema.
    """
    _only(payload, ("start",))
    since = xep_0082.parse_bound(required(payload, "start"), "'start'")
    return Modified(since, xep_0059.parse(payload, limits.page))


def render_modified(asked: Modified, namespace: str) -> Element:
    """`<modified/>` as a request."""
    tree = element(qualified(namespace, "modified"), {"start": xep_0082.render(asked.since)})
    tree.append(xep_0059.render_request(asked.page))
    return tree


def parse_keys(payload: Element, limits: Limits) -> Keys:
    """Read `<keys/>` as a request (XEP-0241, section 6).

    Raises:
        BadRequest: it is not of its schema.
    """
    _only(payload, ())
    names = parse_key_names(payload)
    if len(names) != 1:
        raise BadRequest("<keys/> names one public key.")
    return Keys(names[0], xep_0059.parse(payload, limits.page))


def render_keys(asked: Keys, namespace: str) -> Element:
    """`<keys/>` as a request."""
    tree = element(qualified(namespace, "keys"))
    tree.extend(render_key_names((asked.public_name,)))
    tree.append(xep_0059.render_request(asked.page))
    return tree


def parse_delete(payload: Element) -> Delete:
    """Read `<delete/>` (XEP-0241, section 6).

    Raises:
        BadRequest: it is not of its schema.
        JidMalformed: 'with' is no address.
        NotAcceptable: it names too many public keys.
    """
    only_known(payload, attributes=("with", "start"), children=(KEY_NAME,))
    no_text(payload)
    names = parse_key_names(payload)
    if not names:
        raise BadRequest("<delete/> needs <KeyName/>.")
    return Delete(parse_name(payload), names)


def render_delete(asked: Delete, namespace: str) -> Element:
    """`<delete/>`."""
    tree = element(qualified(namespace, "delete"), name_attributes(asked.name))
    tree.extend(render_key_names(asked.public_names))
    return tree


def _only(payload: Element, attributes: tuple[str, ...]) -> None:
    """Attributes as named; of children any but the archive's own: unknown extensions are ignored."""
    foreign = {child.tag for child in payload if namespace_of(child) not in {*NAMESPACES, ""}}
    only_known(payload, attributes=attributes, children=foreign)
    no_text(payload)


def _filter(payload: Element) -> Filter:
    with_, start, end = payload.get("with"), payload.get("start"), payload.get("end")
    return Filter(
        None if with_ is None else Address.parse(with_),
        boolean(payload, "exactmatch", default=False),
        None if start is None else xep_0082.parse_bound(start, "'start'"),
        None if end is None else xep_0082.parse_bound(end, "'end'"),
    )


def _filter_attributes(asked: Filter) -> dict[str, str | None]:
    return {
        "with": str(asked.with_) if asked.with_ else None,
        "exactmatch": "true" if asked.exact else None,
        "start": xep_0082.render(asked.start) if asked.start else None,
        "end": xep_0082.render(asked.end) if asked.end else None,
    }
