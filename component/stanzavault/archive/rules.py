"""What an archive decides: who may use it, which collections an address means, what an upload does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from stanzavault.archive.model import (
    Collection,
    CollectionName,
    EncryptedKey,
    Form,
    Holds,
    Item,
    ItemKind,
    LinkName,
    Save,
)
from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import BadRequest, Forbidden, NotAcceptable, ResourceConstraint
from stanzavault.kernel.request import Request

Grain = Literal["full", "bare", "domain"]

_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
SET_SIZE = 512
"""Bytes that stand around the entries of a page, at most: its wrapper, and its description (XEP-0059)."""


def authorise(request: Request) -> None:
    """An archive is its owner's alone.

    Raises:
        Forbidden: the principal is not the owner, or is no account of a configured host.
    """
    if not request.is_own:
        raise Forbidden("An archive is its owner's alone: ask your own account's.")


def grain(wanted: Address, *, exact: bool) -> tuple[Grain, str]:
    """At which grain, and by which value, the collections that an address stands for are found.

    XEP-0136, section 10.1.
    """
    if exact or wanted.resource:
        return "full", str(wanted)
    if wanted.local:
        return "bare", str(wanted)
    return "domain", wanted.domain


def value_at(grain_: Grain, address: Address) -> str:
    """What `grain` compares, of the address of a collection."""
    match grain_:
        case "full":
            return str(address)
        case "bare":
            return str(address.bare)
        case "domain":
            return address.domain


@dataclass(frozen=True, slots=True)
class Saved:
    """What an upload makes of a collection.

    Attributes:
        collection: as it is from now on.
        changed: whether anything about it changed.
        items: what is appended, each with its absolute time.
        keys: the keys that are added.
        form: the form that replaces the old one, empty to remove it; None to keep the old one.
    """

    collection: Collection
    changed: bool
    items: tuple[tuple[Item, datetime], ...] = ()
    keys: tuple[EncryptedKey, ...] = ()
    form: Form | None = None


def save(
    existing: Collection | None,
    upload: Save,
    *,
    new_keys: tuple[EncryptedKey, ...],
    rings: Sequence[int],
    frame: Callable[[Collection], int],
    most: int,
) -> Saved:
    """Create a collection, or append to it and change what the upload names (XEP-0136, section 5).

    Args:
        existing: the collection of that name, if there is one.
        upload: what is asked.
        new_keys: those of its keys that the collection does not have yet.
        rings: bytes that keys take in an answer where they stand together, being of one data key or under one
            public key, for every such ring that a new key belongs to.
        frame: bytes that `<chat/>` takes in an answer with its attributes and links, but empty.
        most: bytes that an answer may have.

    Raises:
        BadRequest: a time in it is beyond the calendar.
        NotAcceptable: it mixes plain and encrypted content, or an item would never fit into an answer.
    """
    created = existing is None or existing.removed
    before = Collection(upload.name, 0, upload.name.start)
    if existing is not None and not existing.removed:
        before = existing
    for name in (upload.name, *upload.links.values()):
        if name is not None:
            _check_time(name.start)
    items, last = _timed(before.last, upload.items)
    after = replace(
        before,
        last=last,
        subject=before.subject if upload.subject is None else upload.subject,
        thread=before.thread if upload.thread is None else upload.thread,
        links=_linked(before.links, upload),
        holds=_holds(before, upload),
        items=before.items + len(items),
        keys=before.keys + len(new_keys),
        form=before.form if upload.form is None else upload.form.size,
        form_key_names=before.form_key_names if upload.form is None else upload.form.key_names,
        largest_item=max([before.largest_item, *(item.size for item in upload.items)]),
        largest_ring=max([before.largest_ring, *rings]),
    )
    changed = created or after != before or bool(upload.form and upload.form.content)
    if changed and not created:
        after = replace(after, version=before.version + 1)
    _check_size(after, frame(after), most)
    form = upload.form if upload.form and (upload.form.content or before.form) else None
    return Saved(after, changed, items, new_keys, form)


def check_quota(used: int, quota: int) -> None:
    """Refuse what exceeds the owner's quota.

    Raises:
        ResourceConstraint: it does.
    """
    if used > quota:
        raise ResourceConstraint(f"The archive may hold {quota} bytes: remove collections to make room.")


def _linked(links: Mapping[LinkName, CollectionName], upload: Save) -> dict[LinkName, CollectionName]:
    """The links after an upload: each that it names is replaced or removed (section 5.6)."""
    linked = {name: target for name, target in links.items() if name not in upload.links}
    linked.update({name: target for name, target in upload.links.items() if target is not None})
    return linked


def _holds(before: Collection, upload: Save) -> Holds:
    kinds = {item.kind is ItemKind.ENCRYPTED for item in upload.items}
    plain = before.holds is Holds.PLAIN or False in kinds
    form_key_names = before.form_key_names if upload.form is None else upload.form.key_names
    encrypted = before.holds is Holds.ENCRYPTED or True in kinds
    if plain and (encrypted or before.keys or upload.keys or form_key_names):
        raise NotAcceptable("A collection holds either encrypted data and keys, or plain messages and notes.")
    return Holds.PLAIN if plain else Holds.ENCRYPTED if encrypted else Holds.NOTHING


def _timed(last: datetime, items: Sequence[Item]) -> tuple[tuple[tuple[Item, datetime], ...], datetime]:
    """Each item with its absolute time (sections 4.6, 4.7 and 5.4), and the time of the last message."""
    timed = []
    for item in items:
        try:
            time = item.utc or last + timedelta(seconds=item.secs or 0)
        except OverflowError:
            time = _END_OF_TIME
        _check_time(time)
        timed.append((item, time))
        if item.kind is not ItemKind.NOTE:
            last = time
    return tuple(timed), last


def _check_time(time: datetime) -> None:
    if time >= _END_OF_TIME:
        raise BadRequest("A time is in the year 9999 or beyond: no conversation was held then.")


def _check_size(collection: Collection, frame: int, most: int) -> None:
    """See to it that a page with one entry fits into an answer, whichever entry it is.

    Raises:
        NotAcceptable: one would not.
    """
    rings = (1 + len(collection.form_key_names)) * collection.largest_ring
    if frame + collection.form + collection.largest_item + rings + SET_SIZE > most:
        raise NotAcceptable(
            f"An answer has at most {most} bytes; the largest item of the collection, with its keys "
            "and what stands before it, would not fit into one."
        )
