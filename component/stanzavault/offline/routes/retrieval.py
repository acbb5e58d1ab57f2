"""An account counts, lists, views and removes what waits for it (XEP-0013)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import FeatureNotImplemented, Forbidden, ItemNotFound
from stanzavault.kernel.limits import Limits
from stanzavault.kernel.paging import Page, PageRequest
from stanzavault.kernel.ports import Post
from stanzavault.kernel.request import Request
from stanzavault.offline import store
from stanzavault.offline.handing_on import hand_on
from stanzavault.offline.model import Place, Waiting, Window
from stanzavault.offline.routes.introduction import introduce
from stanzavault.offline.stanza import xep_0013
from stanzavault.storage.unit import Database, Unit
from stanzavault.storage.usage import Store, kept
from stanzavault.wire import xep_0059
from stanzavault.wire.xml import only_child, serialize

_WINDOW = Window()
_BESIDE_ITEMS = 1024  # bytes of a list that its frame and its <set/> take
_END = 2**63 - 1
_NO_LIMIT = 2**31 - 1


class Retrieval:
    """Serves XEP-0013 to the sessions of an account.

    Args:
        database: where the messages wait.
        post: sends the messages that are viewed.
        asked: told each session that asks, so that it is spared the flood.
        component: the vault's address.
        limits: bounds of answers.
        unopened: told of each record that fails to open.
    """

    def __init__(
        self,
        database: Database,
        post: Post,
        asked: Callable[[Address], None],
        component: Address,
        *,
        limits: Limits,
        unopened: store.Unopened,
    ) -> None:
        self._database = database
        self._post = post
        self._asked = asked
        self._component = component
        self._limits = limits
        self._unopened = unopened

    async def number(self, request: Request) -> Sequence[Element]:
        """The number of messages (section 2.2).

        Raises:
            Forbidden: they are another account's.
        """
        await self._note(request)
        return xep_0013.render_number(await self._count(request.account))

    async def headers(self, request: Request) -> Sequence[Element]:
        """The headers (section 2.3): all that fit, with a result set where more are left (XEP-0059).

        Raises:
            Forbidden: they are another account's.
            BadRequest: the `<set/>` is not of its schema.
            ItemNotFound: it names an item that the vault never gave.
            FeatureNotImplemented: it asks for an index.
        """
        await self._note(request)
        has_set = only_child(request.payload, xep_0059.SET) is not None
        wanted = xep_0059.parse(request.payload, self._limits.page if has_set else _NO_LIMIT)
        if wanted.index is not None:
            raise FeatureNotImplemented("Headers are not found by an index.")
        items, complete = await self._fitting(request.account, wanted)
        if complete and not has_set:
            return items
        nodes = [item.get("node") for item in items] or [None]
        count = await self._count(request.account)
        page = Page(items, nodes[0], nodes[-1], count=count, complete=complete)
        return [*items, xep_0059.render(page)]

    async def get(self, request: Request) -> None:
        """View some messages, or fetch all (sections 2.4 and 2.6): they are sent, then the empty result.

        Raises:
            BadRequest: the request is not of its schema.
            Forbidden: they are another account's.
            ItemNotFound: one of them is not there; none is sent then.
        """
        await self._note(request)
        match xep_0013.parse(request.payload, "get", request.account):
            case xep_0013.Some(places):
                await self._view(request, places)
            case xep_0013.All():
                await self._fetch(request)

    async def set(self, request: Request) -> None:
        """Remove some messages, or purge all (sections 2.5 and 2.7).

        Raises:
            BadRequest: the request is not of its schema.
            Forbidden: they are another account's.
            ItemNotFound: one of them is not there; none is removed then.
        """
        await self._note(request)
        command = xep_0013.parse(request.payload, "set", request.account)

        async def work(unit: Unit) -> None:
            owner = await unit.find_owner(request.account)
            match command:
                case xep_0013.All():
                    if owner is not None:
                        await store.remove_all(unit.connection, owner)
                case xep_0013.Some(places):
                    if owner is None or await store.remove(unit.connection, owner, places) < len(places):
                        raise ItemNotFound("A message that is named does not wait here; none was removed.")

        await self._database.write(request.account, work, saves=False)

    async def _view(self, request: Request, places: Sequence[Place]) -> None:
        async def find(unit: Unit) -> dict[Place, int]:
            owner = await unit.find_owner(request.account)
            return await store.sizes_at(unit.connection, owner, places) if owner else {}

        sizes = await self._database.read(request.account, find)
        if len(sizes) < len(places):
            raise ItemNotFound("A message that is named does not wait here; none was sent.")
        for some in _in_windows(sizes):

            async def load(unit: Unit, some: Sequence[Place] = some) -> Sequence[Waiting]:
                owner = await unit.find_owner(request.account)
                return await store.at(unit.connection, owner, some, self._unopened) if owner else ()

            await self._send(await self._database.read(request.account, load), request.principal.address)

    async def _fetch(self, request: Request) -> None:
        waiting, end = await self._window(request.account, 0)
        while end is not None:
            await self._send(waiting, request.principal.address)
            waiting, end = await self._window(request.account, end)

    async def _fitting(self, account: Address, wanted: PageRequest) -> tuple[list[Element], bool]:
        """The headers that a page wants, as many as fit; and whether that is all in its direction."""
        backwards = wanted.backwards
        cursor = wanted.before if backwards else wanted.after
        position: int | None = _END if backwards else 0
        if cursor:
            position = xep_0013.parse_node(cursor).position
        items: list[Element] = []
        room = self._limits.reply - _BESIDE_ITEMS
        while position is not None:
            waiting, position = await self._window(account, position, backwards=backwards)
            for one in reversed(waiting) if backwards else waiting:
                item = xep_0013.render_header(account, one.place, one.sender)
                room -= len(serialize(item))
                if len(items) == wanted.most or (room < 0 and items):
                    return items[::-1] if backwards else items, False
                items.append(item)
        return items[::-1] if backwards else items, True

    async def _window(
        self, account: Address, position: int, *, backwards: bool = False
    ) -> tuple[Sequence[Waiting], int | None]:
        async def work(unit: Unit) -> tuple[Sequence[Waiting], int | None]:
            owner = await unit.find_owner(account)
            if owner is None:
                return (), None
            return await store.window(
                unit.connection, owner, position, _WINDOW, self._unopened, backwards=backwards
            )

        return await self._database.read(account, work)

    async def _count(self, account: Address) -> int:
        async def work(unit: Unit) -> int:
            owner = await unit.find_owner(account)
            return (await kept(unit.connection, owner, Store.OFFLINE))[1] if owner else 0

        return await self._database.read(account, work)

    async def _send(self, waiting: Sequence[Waiting], to: Address) -> None:
        await hand_on(self._post, waiting, self._component, to, nodes=True)

    async def _note(self, request: Request) -> None:
        if not request.is_own:
            raise Forbidden("Messages are handed to nobody but the account that they are for.")
        await introduce(self._database, request.account)
        self._asked(request.principal.address)


def _in_windows(sizes: Mapping[Place, int]) -> Iterator[Sequence[Place]]:
    """Places in their order, cut into windows."""
    some: list[Place] = []
    total = 0
    for place in sorted(sizes):
        total += sizes[place]
        if some and (len(some) == _WINDOW.messages or total > _WINDOW.bytes):
            yield some
            some, total = [], sizes[place]
        some.append(place)
    if some:
        yield some
