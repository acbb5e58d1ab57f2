"""Serves an owner's archive: collections uploaded by hand, plain or encrypted (XEP-0136, XEP-0241)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar
from xml.etree.ElementTree import Element

from stanzavault.archive import rules, store
from stanzavault.archive.cursors import unknown_place
from stanzavault.archive.model import Change, Collection, CollectionName, Content, KeySet, Summary
from stanzavault.archive.stanza import xep_0136_answers as answers
from stanzavault.archive.stanza import xep_0136_requests as requests
from stanzavault.archive.stanza.xep_0136_parts import NAMESPACE, NAMESPACES, namespace_of, read_item
from stanzavault.archive.stanza.xep_0241 import read_key
from stanzavault.kernel.errors import FeatureNotImplemented, ItemNotFound
from stanzavault.kernel.limits import Limits
from stanzavault.kernel.paging import Page, PageRequest
from stanzavault.kernel.request import Request
from stanzavault.kernel.routing import Delegated, IqRoute, Routes
from stanzavault.storage.unit import Database, Unit
from stanzavault.wire import xep_0059
from stanzavault.wire.xml import qualified, split, written_size

Result = TypeVar("Result")

_MANUAL = tuple(f"{namespace}{part}" for namespace in NAMESPACES for part in ("", ":manage", ":manual"))
_FEATURES = (*_MANUAL, xep_0059.NAMESPACE)
_PREFERENCES = ("pref", "auto", "itemremove", "sessionremove")


class ArchiveRoutes:
    """The requests of the archive's owners.

    Args:
        database: where archives are kept.
        limits: of this deployment.
        quota: bytes that one owner may keep.
        unopened: told of every record that does not open.
    """

    def __init__(
        self, database: Database, *, limits: Limits, quota: int, unopened: Callable[[], None]
    ) -> None:
        self._database = database
        self._limits = limits
        self._quota = quota
        self._unopened = unopened

    def routes(self) -> Routes:
        """What is served, in both namespaces, and advertised.

        XEP-0241's feature stands for encryption by the server, which is not part of manual archiving.
        """
        served: dict[str, Callable[[Request], Awaitable[Element | None]]] = {
            "get list": self._list,
            "get retrieve": self._retrieve,
            "get modified": self._modified,
            "get keys": self._keys,
            "get delete": self._delete,  # as XEP-0241 writes it in its example
            "set delete": self._delete,
            "set remove": self._remove,
            "set save": self._save,
            **{f"{type_} {name}": _refuse for type_ in ("get", "set") for name in _PREFERENCES},
        }
        return Routes(
            iqs=tuple(
                IqRoute("get" if what.startswith("get") else "set", qualified(namespace, what[4:]), answer)
                for namespace in NAMESPACES
                for what, answer in served.items()
            ),
            delegated=tuple(Delegated(namespace, _FEATURES, _FEATURES) for namespace in NAMESPACES),
            component_features=_FEATURES,
            account_features=_FEATURES,
        )

    async def _save(self, request: Request) -> Element:
        rules.authorise(request)
        upload = requests.parse_save(request.payload, self._limits)

        async def work(unit: Unit) -> int:
            shelf = store.Shelf(unit.connection, await unit.owner(request.account), self._unopened)
            return await store.save(
                shelf, upload, unit.now, frame=_frame, most=self._limits.reply, quota=self._quota
            )

        version = await self._database.write(request.account, work)
        return answers.render_saved(upload, version, namespace_of(request.payload))

    async def _list(self, request: Request) -> Element:
        rules.authorise(request)
        asked = requests.parse_list(request.payload, self._limits)

        async def look(shelf: store.Shelf) -> Page[Summary]:
            return await store.list_collections(shelf, asked, _summary_size, self._room)

        page = await self._read(request, look) or _nothing(asked.page)
        return answers.render_listed(page, namespace_of(request.payload))

    async def _retrieve(self, request: Request) -> Element:
        rules.authorise(request)
        asked = requests.parse_retrieve(request.payload, self._limits)
        reading = store.Reading(read_item, partial(read_key, inherited=NAMESPACE), _frame, self._room)

        async def look(shelf: store.Shelf) -> Content:
            return await store.retrieve(shelf, asked, reading)

        content = await self._read(request, look)
        if content is None:
            raise ItemNotFound("There is no collection of that name.")
        return answers.render_content(content, namespace_of(request.payload))

    async def _modified(self, request: Request) -> Element:
        rules.authorise(request)
        asked = requests.parse_modified(request.payload, self._limits)

        async def look(shelf: store.Shelf) -> Page[Change]:
            return await store.list_changes(shelf, asked, _change_size, self._room)

        page = await self._read(request, look) or _nothing(asked.page)
        return answers.render_changes(page, namespace_of(request.payload))

    async def _keys(self, request: Request) -> Element:
        rules.authorise(request)
        asked = requests.parse_keys(request.payload, self._limits)
        read = partial(read_key, inherited=NAMESPACE)

        async def look(shelf: store.Shelf) -> Page[KeySet]:
            return await store.list_keys(shelf, asked, read, _empty_set_size, self._room)

        page = await self._read(request, look) or _nothing(asked.page)
        return answers.render_key_sets(page, namespace_of(request.payload))

    async def _remove(self, request: Request) -> None:
        rules.authorise(request)
        asked = requests.parse_remove(request.payload)
        removed, more = 0, not asked.open  # nothing is being recorded automatically

        async def work(unit: Unit) -> tuple[int, bool]:
            shelf = await self._present(request, unit)
            return await store.remove_some(shelf, asked, unit.now) if shelf else (0, False)

        while more:
            some, more = await self._database.write(request.account, work, saves=False)
            removed += some
        if not removed:
            raise ItemNotFound("There is no such collection to remove.")

    async def _delete(self, request: Request) -> None:
        rules.authorise(request)
        asked = requests.parse_delete(request.payload)

        async def work(unit: Unit) -> bool:
            shelf = await self._present(request, unit)
            if shelf is not None:
                await store.delete_keys(shelf, asked, unit.now)
            return shelf is not None

        if not await self._database.write(request.account, work, saves=False):
            raise ItemNotFound("There is no collection of that name.")

    async def _present(self, request: Request, unit: Unit) -> store.Shelf | None:
        """The archive to change, None where the account has no record: then it is not made an owner."""
        if await unit.find_owner(request.account) is None:
            return None
        return store.Shelf(unit.connection, await unit.owner(request.account), self._unopened)

    async def _read(
        self, request: Request, look: Callable[[store.Shelf], Awaitable[Result]]
    ) -> Result | None:
        """What is seen in the account's archive, None where the account has no record."""

        async def work(unit: Unit) -> Result | None:
            owner = await unit.find_owner(request.account)
            return await look(store.Shelf(unit.connection, owner, self._unopened)) if owner else None

        return await self._database.read(request.account, work)

    @property
    def _room(self) -> int:
        return self._limits.reply - rules.SET_SIZE


async def _refuse(request: Request) -> None:
    """Answer what belongs to automatic archiving, of which preferences are the part that a client sees."""
    rules.authorise(request)
    name = split(request.payload.tag)[1]
    raise FeatureNotImplemented(
        f"<{name}/> is about automatic archiving, which this vault does not do; it takes <save/> by hand."
    )


def _nothing(asked: PageRequest) -> Page[Any]:
    """A page of the empty set, which no cursor leads into."""
    if asked.after or asked.before:
        raise unknown_place()
    return Page((), count=0)


def _frame(collection: Collection) -> int:
    head = Content(collection.summary, Page(()), collection.links)
    return written_size(answers.render_head(head, NAMESPACE), "")


def _summary_size(summary: Summary) -> int:
    return written_size(answers.render_summary(summary, NAMESPACE), NAMESPACE)


def _change_size(change: Change) -> int:
    return written_size(answers.render_change(change, NAMESPACE), NAMESPACE)


def _empty_set_size(name: CollectionName) -> int:
    return written_size(answers.render_key_set(KeySet(name, 2**31, ()), NAMESPACE), NAMESPACE)
