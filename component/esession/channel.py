"""The keys, counters and remembered values of an established session (XEP-0200).

A channel never changes: each operation gives the channel that follows, and the caller puts it in place once
it has decided to go on. So a stanza that fails to authenticate changes no key and no counter.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from esession import crypto
from esession.errors import DamagedError, MisuseError
from esession.groups import encode_integer, group
from esession.secret import Secret
from esession.suite import BLOCK_OCTETS, COUNTERS, NO_REKEYING, Suite
from esession.wire import xep_0200
from esession.wire.xep_0200 import EncryptedContent

BLOCK_LIMIT: Final = 1 << 32
"""Blocks that may be exchanged between two key exchanges (XEP-0200 section 10.4)."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private exponent and its public value, in the session's group."""

    exponent: Secret
    value: int


@dataclass(frozen=True, slots=True)
class DirectionKeys:
    """The keys of one direction: KC and KM."""

    cipher: Secret
    mac: Secret


@dataclass(frozen=True, slots=True)
class Position:
    """Where one direction stands.

    Attributes:
        counter: The block counter.
        used: Octets already used of that block's key stream; always 0 in profile `xep`.
    """

    counter: int = field(repr=False)
    used: int = 0


@dataclass(frozen=True, slots=True)
class KeySet:
    """One of the remembered sets {our exponent, the peer's keys} (XEP-0200 section 8.2).

    Attributes:
        number: How many of our key elements the peer has taken when it uses this set.
        exponent: Our private exponent.
        receive: The keys of what the peer then sends.
        made: When we sent the key element that made this set.
    """

    number: int
    exponent: Secret
    receive: DirectionKeys
    made: datetime | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """Everything that encrypts and decrypts one session's stanzas.

    Attributes:
        suite: What was negotiated.
        send: Our current keys: there is never more than one copy (XEP-0200 section 8.2).
        send_at: Our counter.
        receive_at: The peer's counter.
        sets: The remembered sets, oldest first.
        peer_value: The peer's newest public value.
        keys_sent: Key elements we have sent.
        keys_acknowledged: Of these, how many the peer is known to have taken.
        keys_taken: Key elements taken from the peer since our last stanza.
        blocks: Blocks exchanged since the last key exchange.
        stanzas: Stanzas exchanged since the last key exchange.
        retired: Our old MAC keys, each with the count of acknowledged key elements that frees it.
        publishable: Old MAC keys that the next stanza publishes.
    """

    suite: Suite
    send: DirectionKeys
    send_at: Position
    receive_at: Position
    sets: tuple[KeySet, ...]
    peer_value: int = field(repr=False)
    keys_sent: int = 0
    keys_acknowledged: int = 0
    keys_taken: int = 0
    blocks: int = 0
    stanzas: int = 0
    retired: tuple[tuple[int, Secret], ...] = ()
    publishable: tuple[Secret, ...] = ()

    def may_rekey(self) -> bool:
        """Whether a key exchange may be initiated now (XEP-0200 section 8.1)."""
        suite = self.suite
        return (
            suite.profile.rekeys and suite.rekey_freq < NO_REKEYING and self.stanzas + 1 >= suite.rekey_freq
        )

    def blocks_of(self, octets: int) -> int:
        """How many counters content of this length takes."""
        return max(1, -(-octets // BLOCK_OCTETS)) if self.suite.cipher != "none" else 1

    def seal(
        self, plaintext: bytes | None, *, pair: KeyPair | None = None, now: datetime | None = None
    ) -> tuple[Channel, EncryptedContent]:
        """Encrypt content, and re-key with it (XEP-0200 sections 5 and 8.2).

        Args:
            plaintext: The content; None for an empty stanza, which still takes a counter.
            pair: A new key pair to re-key with.
            now: When that happens; needed with `pair`.

        Raises:
            MisuseError: The keys' life would be exceeded, or re-keying isn't allowed now.
        """
        blocks = self.blocks + self.blocks_of(len(plaintext or b""))
        if blocks > BLOCK_LIMIT:
            raise MisuseError("these keys may not encrypt more")
        if pair is not None and not self.may_rekey():
            raise MisuseError("the negotiated limit allows no key exchange yet")
        suite = self.suite
        data, after = None, _advance(self.send_at, self.blocks_of(0))
        if plaintext is not None:
            data, after = crypt(suite, self.send.cipher, self.send_at, plaintext)
        old = [secret.reveal() for secret in self.publishable]
        key = pair.value if pair else None
        signed = xep_0200.normalized(data, key, self.keys_taken, old)
        tag = crypto.mac(suite.hash, self.send.mac.reveal(), signed + _fixed(self.send_at.counter))
        content = EncryptedContent(signed, tag, data, key, self.keys_taken, tuple(old))
        following = self._after(after, self.receive_at, blocks, keys_taken=0, publishable=())
        return (following._rekeyed(pair, now) if pair else following), content  # noqa: SLF001  its own class

    def open(self, content: EncryptedContent) -> tuple[Channel, bytes | None]:
        """Verify and decrypt a stanza's content (XEP-0200 sections 7 and 8.3).

        Returns:
            The channel that follows, and the content; None for an empty stanza.

        Raises:
            DamagedError: It is forged, damaged, repeated or out of order.
        """
        suite = self.suite
        new = content.new if suite.profile.rekeys else 0
        key = content.key if suite.profile.rekeys else None
        sets = tuple(each for each in self.sets if each.number >= self.keys_acknowledged + new)
        if not sets or sets[0].number != self.keys_acknowledged + new:
            raise DamagedError("a stanza names keys that are not in use")
        receive = sets[0].receive
        if not self._verify(content, receive):
            raise DamagedError("a stanza's MAC does not match")
        if key is not None and (
            suite.rekey_freq == NO_REKEYING or not group(suite.group).is_public_value(key)
        ):
            raise DamagedError("a stanza holds a key element that may not be used")
        plaintext, after = None, _advance(self.receive_at, self.blocks_of(0))
        if content.data is not None:
            plaintext, after = crypt(suite, receive.cipher, self.receive_at, content.data)
        blocks = self.blocks + self.blocks_of(len(content.data or b""))
        if blocks > BLOCK_LIMIT:
            raise DamagedError("the peer used its keys beyond their life")
        following = self._after(
            self.send_at, after, blocks, keys_taken=self.keys_taken, publishable=self.publishable
        )
        if new:
            following = following._acknowledged(sets)  # noqa: SLF001  its own class
        if key is not None:
            following = following._accepted(key)  # noqa: SLF001  its own class
        return following, plaintext

    def forget_old_sets(self, now: datetime, wait: timedelta) -> Channel:
        """Drop sets that the peer has had time enough to leave (XEP-0200 section 8.2)."""
        kept = tuple(
            each
            for each, newer in zip(self.sets, self.sets[1:], strict=False)
            if newer.made is None or now < newer.made + wait
        )
        return replace(self, sets=(*kept, self.sets[-1])) if len(kept) + 1 < len(self.sets) else self

    def secrets(self) -> list[Secret]:
        """Every secret that this channel holds, for wiping."""
        held = [self.send.cipher, self.send.mac, *self.publishable, *(old for _, old in self.retired)]
        for each in self.sets:
            held += [each.exponent, each.receive.cipher, each.receive.mac]
        return held

    def _after(
        self,
        send_at: Position,
        receive_at: Position,
        blocks: int,
        *,
        keys_taken: int,
        publishable: tuple[Secret, ...],
    ) -> Channel:
        """The channel after one more stanza; spelled out, since `replace` costs as much as the cipher."""
        return Channel(
            self.suite,
            self.send,
            send_at,
            receive_at,
            self.sets,
            self.peer_value,
            self.keys_sent,
            self.keys_acknowledged,
            keys_taken,
            blocks,
            self.stanzas + 1,
            self.retired,
            publishable,
        )

    def _verify(self, content: EncryptedContent, keys: DirectionKeys) -> bool:
        counter, key = self.receive_at.counter, keys.mac.reveal()
        forms = [_fixed(counter)]
        if self.suite.profile.strips_counters:
            forms.append(encode_integer(counter))
        tags = [crypto.mac(self.suite.hash, key, content.signed + form) for form in forms]
        return any([crypto.same(content.mac, tag) for tag in tags])  # noqa: C419  no early end

    def _rekeyed(self, pair: KeyPair, now: datetime | None) -> Channel:
        shared = crypto.shared_value(group(self.suite.group), pair.exponent, self.peer_value)
        initiator, acceptor = rekey_keys(self.suite, shared)
        number = self.keys_sent + 1
        return replace(
            self,
            send=initiator,
            sets=(*self.sets, KeySet(number, pair.exponent, acceptor, now)),
            keys_sent=number,
            retired=(*self.retired, (number, self.send.mac)),
            blocks=0,
            stanzas=0,
        )

    def _acknowledged(self, sets: tuple[KeySet, ...]) -> Channel:
        number = sets[0].number
        in_use = {id(each.receive.mac) for each in sets}
        free: dict[int, Secret] = {
            id(each.receive.mac): each.receive.mac
            for each in self.sets
            if each.number < number and id(each.receive.mac) not in in_use
        }
        freed = [secret for needed, secret in self.retired if needed <= number]
        return replace(
            self,
            sets=sets,
            keys_acknowledged=number,
            retired=tuple(each for each in self.retired if each[0] > number),
            publishable=(*self.publishable, *free.values(), *freed),
        )

    def _accepted(self, value: int) -> Channel:
        shared = crypto.shared_value(group(self.suite.group), self.sets[0].exponent, value)
        initiator, acceptor = rekey_keys(self.suite, shared)
        replaced = {id(each.receive.mac): each.receive.mac for each in self.sets}
        following = replace(
            self,
            sets=tuple(replace(each, receive=initiator) for each in self.sets),
            peer_value=value,
            keys_taken=self.keys_taken + 1,
            publishable=(*self.publishable, *replaced.values()),
            blocks=0,
            stanzas=0,
        )
        if len(self.sets) == 1:
            # What we sent under this key may still be on its way: it stays unpublished until the peer
            # answers a key element that we have yet to send.
            following = replace(
                following, send=acceptor, retired=(*self.retired, (self.keys_sent + 1, self.send.mac))
            )
        return following


def rekey_keys(suite: Suite, shared: int) -> tuple[DirectionKeys, DirectionKeys]:
    """The keys of what the initiator and the acceptor of a key exchange send (XEP-0200 section 8.2)."""
    secret = encode_integer(shared)

    def derive(label: str, octets: int) -> Secret:
        return Secret(crypto.mac(suite.hash, secret, label.encode())[-octets:])

    return (
        DirectionKeys(
            derive("Rekey Initiator Crypt", suite.cipher_key_octets or 16),
            derive("Rekey Initiator MAC", suite.mac_key_octets),
        ),
        DirectionKeys(
            derive("Rekey Acceptor Crypt", suite.cipher_key_octets or 16),
            derive("Rekey Acceptor MAC", suite.mac_key_octets),
        ),
    )


def crypt(suite: Suite, key: Secret, at: Position, data: bytes) -> tuple[bytes, Position]:
    """Encrypt or decrypt at a position: the octets, and the position that follows."""
    if suite.cipher == "none":
        return data, _advance(at, 1)
    profile, octets = suite.profile, len(data)
    if at.used:
        stream = crypto.key_stream(key.reveal(), at.counter, bytes(at.used) + data)[at.used :]
        total = at.used + octets
        return stream, Position((at.counter - 1 - (-total // BLOCK_OCTETS)) % COUNTERS, total % BLOCK_OCTETS)
    first = (at.counter + 1) % COUNTERS if profile.first_block_incremented else at.counter
    stream = crypto.key_stream(key.reveal(), first, data)
    used = octets % BLOCK_OCTETS if profile.carries_key_stream else 0
    return stream, Position((at.counter - (-octets // BLOCK_OCTETS)) % COUNTERS, used)


def _advance(at: Position, blocks: int) -> Position:
    return Position((at.counter + blocks) % COUNTERS, at.used)


def _fixed(counter: int) -> bytes:
    return counter.to_bytes(BLOCK_OCTETS, "big")
