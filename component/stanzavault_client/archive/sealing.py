"""Sealing a conversation to its owner's own keys, and opening it again (XEP-0241, section 2).

A piece that opens was sealed by somebody who knows the public key, which may be anybody: sealing keeps
secret, and proves nothing about who wrote. Nor does it bind a piece to its collection.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element

from esession.errors import DamagedError, MalformedError
from esession.keys import RSAPublicKey
from esession.sealed_collection import CollectionKey
from esession.wire import xep_0241 as wire
from stanzavault.archive.model import EncryptedKey, Item
from stanzavault.archive.stanza.xep_0136_parts import NAMESPACE
from stanzavault.archive.stanza.xep_0241 import parse_data, parse_key, render_key
from stanzavault.kernel.errors import BadRequest
from stanzavault.wire import xml
from stanzavault_client.archive import entries
from stanzavault_client.archive.model import ArchivedMessage, Note, Unopened
from stanzavault_client.errors import NoRecipient
from stanzavault_client.keys.model import SeenKey
from stanzavault_client.storage import OwnKey


@dataclass(frozen=True, slots=True)
class Recipients:
    """The keys that a conversation is sealed to.

    Attributes:
        keys: by their fingerprints.
        left_out: fingerprints of published keys that are not known to be the user's.
    """

    keys: dict[str, RSAPublicKey]
    left_out: tuple[str, ...]


def choose_recipients(published: Sequence[SeenKey], held: Sequence[OwnKey], now: datetime) -> Recipients:
    """The account's own valid published keys, as far as this client knows that they are its user's.

    Section 2 forbids to seal to a key until that is confirmed: that it is published proves nothing, since the
    server may have been compromised. A key that this client holds and has published is sealed to even where
    the vault does not show it.

    Raises:
        NoRecipient: there is none.
    """
    keys = {key.fingerprint: key.key for key in published if key.is_usable}
    for own in held:
        if own.item_id and own.is_valid_at(now):
            keys.setdefault(own.fingerprint, RSAPublicKey(own.public.key.modulus, own.public.key.exponent))
    if not keys:
        raise NoRecipient(
            "None of this account's published keys is valid and known to be yours: publish one."
        )
    left_out = [key.fingerprint for key in published if not key.problems and key.fingerprint not in keys]
    return Recipients(keys, tuple(left_out))


class Sealer:
    """Seals one upload under a fresh key.

    Args:
        recipients: whose private keys open it.
    """

    def __init__(self, recipients: Recipients) -> None:
        self._key = CollectionKey.generate(secrets.token_bytes)
        wrapped = (self._key.wrap_for(key, name) for name, key in recipients.keys.items())
        self.keys: tuple[EncryptedKey, ...] = tuple(
            parse_key(wire.write_key(each), NAMESPACE) for each in wrapped
        )

    def seal(self, elements: Sequence[Element]) -> Item:
        """One piece, of a sequence of entries."""
        data = self._key.seal(entries.join(elements), secrets.token_bytes)
        return parse_data(wire.write_data(data), NAMESPACE)

    def forget(self) -> None:
        """Destroy the key (section 3)."""
        self._key.wipe()


def rewrapped(keys: Iterable[EncryptedKey], old: OwnKey, recipients: Recipients) -> tuple[EncryptedKey, ...]:
    """Keys that open with `old`, wrapped for every other recipient.

    Raises:
        DamagedError: one does not open.
    """
    wrapped: list[EncryptedKey] = []
    for key in keys:
        opened = CollectionKey.open(wire.read_key(render_key(key)), old.private)
        wrapped += [
            parse_key(wire.write_key(opened.wrap_for(public, name)), NAMESPACE)
            for name, public in recipients.keys.items()
            if name != old.fingerprint
        ]
        opened.wipe()
    return tuple(wrapped)


class Opener:
    """Opens what was sealed to keys that this client holds.

    Args:
        held: its keys, past and revoked ones included.
    """

    def __init__(self, held: Sequence[OwnKey]) -> None:
        self._held = {key.fingerprint: key for key in held}
        self._opened: dict[str, CollectionKey] = {}
        self._failed: dict[str, str] = {}
        self._recipients: dict[str, list[str]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the public keys under which it finds something."""
        return tuple(self._held)

    def add(self, keys: Iterable[EncryptedKey]) -> None:
        """Unwrap what can be unwrapped."""
        for key in keys:
            self._recipients.setdefault(key.carried_name, []).append(key.public_name)
            own = self._held.get(key.public_name)
            if own is None or key.carried_name in self._opened:
                continue
            try:
                wrapped = wire.read_key(render_key(key))
                self._opened[key.carried_name] = CollectionKey.open(wrapped, own.private)
            except (DamagedError, MalformedError) as error:
                self._failed[key.carried_name] = str(error)

    def open(self, item: Item, reader: entries.Reader) -> Iterator[ArchivedMessage | Note | Unopened]:
        """The entries of a piece; one `Unopened` where it can't be opened or read."""
        name = item.key_name or ""
        key = self._opened.get(name)
        if key is None:
            reason = self._failed.get(name, "it was not sealed to a key that this client holds")
            yield Unopened(tuple(self._recipients.get(name, ())), reason)
            return
        try:
            content = key.unseal(wire.read_data(xml.parse(item.content)))
            yield from [reader.read(tree) for tree in entries.part(content)]
        except (DamagedError, MalformedError, BadRequest) as error:
            yield Unopened(tuple(self._recipients.get(name, ())), str(error))

    def forget(self) -> None:
        """Destroy the unwrapped keys."""
        for key in self._opened.values():
            key.wipe()
        self._opened.clear()
