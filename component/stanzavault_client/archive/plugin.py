"""The plugin `archive`: save, list, retrieve, remove and follow conversations (XEP-0136, XEP-0241)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, ClassVar, Final, TypeVar
from xml.etree.ElementTree import Element

from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.plugins import BasePlugin

from stanzavault.archive.model import (
    Change,
    CollectionName,
    Content,
    Delete,
    Filter,
    ItemKind,
    Keys,
    List,
    Modified,
    Remove,
    Retrieve,
    Save,
    Summary,
)
from stanzavault.archive.stanza import xep_0136_answers as answers
from stanzavault.archive.stanza import xep_0136_requests as requests
from stanzavault.archive.stanza.xep_0136_parts import NAMESPACE, render_item
from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import utc_now
from stanzavault.kernel.limits import Limits
from stanzavault.kernel.paging import Page, PageRequest
from stanzavault_client.archive import entries, uploading
from stanzavault_client.archive.model import ArchivedMessage, Entry, Note, Saved
from stanzavault_client.archive.sealing import Opener, Recipients, Sealer, choose_recipients, rewrapped
from stanzavault_client.asking import read
from stanzavault_client.errors import AnswerMalformed, NoVault, SaveInterrupted
from stanzavault_client.keys.plugin import KeysPlugin
from stanzavault_client.lookup import plugin_of
from stanzavault_client.paging import pages
from stanzavault_client.policy import Policy
from stanzavault_client.storage import OwnKey, Store
from stanzavault_client.vault import VaultPlugin

Entity = TypeVar("Entity")

_LIMITS: Final = Limits()
_PAUSE: Final = 0.06  # seconds between uploads: a vault takes so many stanzas a second from one account


class ArchivePlugin(BasePlugin):
    """The archive of this client's account.

    Copies of what another protocol has decrypted (OMEMO, OpenPGP, an encrypted session) can be saved as well:
    sealed, they are encrypted again, under the user's own keys. Such copies give up forward secrecy: whoever
    gets the private key later reads them all.
    """

    name = "archive"
    description = "Stanzavault: archived conversations (XEP-0136, XEP-0241)"
    dependencies: ClassVar[set[str]] = {"vault", "keys"}
    default_config: ClassVar[dict[str, Any]] = {"store": None, "policy": Policy()}

    store: Store
    policy: Policy

    def plugin_init(self) -> None:
        """See BasePlugin."""
        self._vault = plugin_of(self.xmpp, VaultPlugin)
        self._keys = plugin_of(self.xmpp, KeysPlugin)

    async def save_messages(
        self,
        with_: str,
        messages: Iterable[ArchivedMessage | Note],
        *,
        sealed: bool = True,
        start: datetime | None = None,
        subject: str | None = None,
        thread: str | None = None,
    ) -> Saved:
        """Save a conversation, or append to one: a collection is known by `with_` and `start`.

        Args:
            with_: the address that it was held with.
            messages: what is saved, in order.
            sealed: encrypt it for one's own keys, so that not even the vault can read it. The vault still
                learns with whom and when it began, how long it is, its subject and its thread.
            start: when the conversation began; the time of its first message by default.
            subject: a friendly name, None to keep what there is.
            thread: the thread of its messages, None to keep what there is.

        Raises:
            NoRecipient: there is no key to seal it to.
            SaveInterrupted: only a part was saved.
            IqError: the vault refuses it; nothing was saved.
            ValueError: there is nothing that tells when it began, or a time has no zone.
        """
        wanted = list(messages)
        begun = start or next((entry.at for entry in wanted if entry.at is not None), None)
        if begun is None:
            raise ValueError("say when the conversation began: no message tells")
        name = CollectionName(Address.parse(with_), begun, 6 if begun.microsecond else 0)
        elements = [entries.write(entry) for entry in wanted]
        if not sealed:
            head = Save(name, subject, thread)
            return Saved(name, await self._upload(head, uploading.plain(elements)))
        recipients = await self._recipients()
        sealer = Sealer(recipients)
        try:
            pieces = uploading.sealed(elements, sealer.seal, self.policy.sealed_bytes)
            version = await self._upload(Save(name, subject, thread, keys=sealer.keys), pieces)
        finally:
            sealer.forget()
        return Saved(name, version, tuple(recipients.keys), recipients.left_out)

    async def collections(
        self,
        with_: str | None = None,
        *,
        exact: bool = False,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> AsyncIterator[Summary]:
        """Collections in chronological order.

        Args:
            with_: an address, and all that it stands for: a bare one its resources, a domain its addresses.
            exact: whether it stands for itself alone.
            start: the earliest beginning, inclusive.
            end: the latest beginning, exclusive.
        """
        wanted = _filter(with_, exact=exact, start=start, end=end)
        async for summary in self._all(
            lambda page: requests.render_list(List(wanted, page), NAMESPACE), answers.parse_listed
        ):
            yield summary

    async def retrieve(self, name: CollectionName) -> AsyncIterator[Entry]:
        """What a collection holds, in order; sealed pieces opened, or told as `Unopened`.

        Raises:
            IqError: there is no such collection.
        """
        opener = Opener(self._keys.own)
        reader = entries.Reader(name.start)

        async def ask(page: PageRequest) -> Content:
            payload = requests.render_retrieve(Retrieve(name, page, opener.names), NAMESPACE)
            return read(await self._ask(payload), lambda answer: answers.parse_content(answer, _LIMITS))

        try:
            async for content in pages(ask, lambda content: content.page, self.policy.entries):
                opener.add(content.keys)
                for item in content.page.entries:
                    if item.kind is ItemKind.ENCRYPTED:
                        for entry in opener.open(item, reader):
                            yield entry
                    else:
                        yield read(render_item(item, NAMESPACE), reader.read)
        finally:
            opener.forget()

    async def modified(self, since: datetime) -> AsyncIterator[Change]:
        """Collections that were changed or removed after an instant, in the order of that (section 8)."""
        async for change in self._all(
            lambda page: requests.render_modified(Modified(since, page), NAMESPACE), answers.parse_changes
        ):
            yield change

    async def remove(self, name: CollectionName) -> None:
        """Remove one collection.

        Raises:
            IqError: there is none.
        """
        await self._tell(requests.render_remove(Remove(name), NAMESPACE))

    async def remove_all(
        self,
        with_: str | None = None,
        *,
        exact: bool = False,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> None:
        """Remove every collection that `collections` would list.

        Raises:
            IqError: there is none.
        """
        wanted = Remove(filter=_filter(with_, exact=exact, start=start, end=end))
        await self._tell(requests.render_remove(wanted, NAMESPACE))

    async def rewrap(self, old: OwnKey, *, delete: bool = False) -> int:
        """Wrap every key of the archive that opens with `old` for the account's present keys as well.

        After a key was revoked, or a device was added (XEP-0241, section 6).

        Args:
            old: a key that this client holds.
            delete: whether `old` opens them no longer.

        Returns:
            How many collections there are.
        """
        recipients = await self._recipients()
        done: list[CollectionName] = []
        async for collection in self._all(
            lambda page: requests.render_keys(Keys(old.fingerprint, page), NAMESPACE), answers.parse_key_sets
        ):
            keys = rewrapped(collection.keys, old, recipients)
            await self._save(Save(collection.name, keys=keys))
            done.append(collection.name)
            await asyncio.sleep(_PAUSE)
        for name in done if delete else ():
            await self._tell(requests.render_delete(Delete(name, (old.fingerprint,)), NAMESPACE))
            await asyncio.sleep(_PAUSE)
        return len(done)

    async def _recipients(self) -> Recipients:
        try:
            published = await self._keys.fetch(str(self._vault.own_account))
        except NoVault:
            published = []  # the server hands the archive over, and keys over pubsub it can't: ours are known
        return choose_recipients(published, self._keys.own, utc_now())

    async def _upload(self, head: Save, pieces: Iterator[uploading.Piece]) -> int:
        """Upload in parts, the keys with the first; the version of the collection after the last."""
        version, saved = None, 0
        for part in uploading.uploads(pieces, self.policy.upload_bytes):
            items = tuple(piece.item for piece in part)
            keys = head.keys if version is None else ()
            upload = Save(head.name, head.subject, head.thread, items=items, keys=keys)
            try:
                version = await self._save(upload)
            except (IqError, IqTimeout) as error:
                if version is None:
                    raise
                raise SaveInterrupted(saved, error.text or error.condition) from error
            saved += sum(piece.entries for piece in part)
            await asyncio.sleep(_PAUSE)
        return (
            version if version is not None else await self._save(Save(head.name, head.subject, head.thread))
        )

    async def _save(self, upload: Save) -> int:
        answer = await self._tell(requests.render_save(upload, NAMESPACE))
        if answer is None:
            raise AnswerMalformed("The vault does not say what it saved.")
        return read(answer, answers.parse_saved).version

    async def _all(
        self, render: Callable[[PageRequest], Element], parse: Callable[[Element], Page[Entity]]
    ) -> AsyncIterator[Entity]:
        async def ask(page: PageRequest) -> Page[Entity]:
            return read(await self._ask(render(page)), parse)

        async for page in pages(ask, lambda page: page, self.policy.entries):
            for entity in page.entries:
                yield entity

    async def _ask(self, payload: Element) -> Element:
        return await self._vault.asker.get(payload, await self._vault.way_to(NAMESPACE))

    async def _tell(self, payload: Element) -> Element | None:
        return await self._vault.asker.set(payload, await self._vault.way_to(NAMESPACE))


def _filter(with_: str | None, *, exact: bool, start: datetime | None, end: datetime | None) -> Filter:
    return Filter(None if with_ is None else Address.parse(with_), exact, start, end)
