"""The stanzas of an established session: sealing and opening them as wholes (XEP-0200 sections 4 to 7).

A conversation puts a channel's successor in place only when the stanza at hand has been authenticated and
read to its end.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from esession import crypto
from esession.channel import BLOCK_LIMIT, Channel, KeyPair
from esession.crypto import Entropy
from esession.errors import DamagedError, MalformedError, MisuseError
from esession.groups import group
from esession.policy import Policy
from esession.suite import BLOCK_OCTETS
from esession.wire import xep_0200, xml

REMEMBERED_STANZAS: Final = 4096
"""How many stanzas back an exact repetition is recognized."""
MOST_KEY_SETS: Final = 16
"""How many key exchanges may wait for a silent peer."""
_TERMINATION_RESERVE: Final = 1 << 8
_REKEY_RESERVE: Final = 1 << 24
_KINDS: Final = frozenset({"message", "presence", "iq"})


class RepeatedError(DamagedError):
    """An exact repetition of a stanza already taken, or one of our own that came back."""


class Conversation:
    """The channel of an active session, and the memory of what passed through it."""

    def __init__(self, channel: Channel, policy: Policy, entropy: Entropy) -> None:
        self._channel = channel
        self._policy = policy
        self._entropy = entropy
        self._taken: dict[bytes, None] = {}
        self._sent: dict[bytes, None] = {}
        self.rekeyed_by_us = False
        self.rekeyed_by_peer = False

    @property
    def channel(self) -> Channel:
        """The channel as it now is."""
        return self._channel

    def seal(
        self, stanza: ET.Element, now: datetime, *, rekey: bool = False, may_rekey: bool = True
    ) -> ET.Element:
        """The stanza with its content encrypted.

        Args:
            stanza: A message, presence or IQ with its addresses.
            now: The present time.
            rekey: Exchange keys with this stanza.
            may_rekey: Whether keys may be exchanged on this library's own account.

        Raises:
            MisuseError: The keys may not encrypt more, or the stanza is encrypted already.
            MalformedError: Its content can't be written as XML.
        """
        namespace, _ = xml.split_tag(stanza.tag)
        sealed = ET.Element(stanza.tag, dict(stanza.attrib))
        clear = [child for child in stanza if xep_0200.is_left_clear(child)]
        secret = [child for child in stanza if not xep_0200.is_left_clear(child)]
        if any(child.tag == xep_0200.C for child in clear):
            raise MisuseError("the stanza is encrypted already")
        error = next((child for child in clear if xml.split_tag(child.tag)[1] == "error"), None)
        inner = (
            [child for child in error if xep_0200.is_encryptable_in_error(child)] if error is not None else []
        )
        style = xml.GAJIM if self._policy.profile.name == "gajim" else xml.COMPACT
        plaintext = xml.serialize(secret, namespace, style) if secret or not inner else None
        within = xml.serialize(inner, namespace, style) if inner else None
        channel = self._channel
        contents: list[xep_0200.EncryptedContent] = []
        for text in (plaintext, within):
            if text is None:
                continue
            pair = self._pair(channel, len(text), rekey=rekey and not contents, may_rekey=may_rekey)
            channel, content = channel.seal(self._padded(text) if text else None, pair=pair, now=now)
            contents.append(content)
        _append_clear(sealed, clear, error, first=True)
        if plaintext is not None:
            sealed.append(xep_0200.write(contents[0]))
            if self._policy.profile.name == "gajim":
                sealed.append(xep_0200.gajim_notice(namespace))
        _append_clear(sealed, clear, error, first=False)
        if error is not None:
            kept = xml.copy_element(error)
            for child in list(kept):
                if xep_0200.is_encryptable_in_error(child):
                    kept.remove(child)
            if within is not None:
                kept.append(xep_0200.write(contents[-1]))
            sealed.append(kept)
        for content in contents:
            _remember(self._sent, content)
        self._commit(channel)
        return sealed

    def open(self, stanza: ET.Element) -> ET.Element:
        """The stanza with its content decrypted, and without what was not encrypted.

        Raises:
            RepeatedError: It has been taken before, or it is our own.
            DamagedError: It fails to authenticate.
            MalformedError: It is authentic, and its content can't be read.
        """
        namespace, kind = xml.split_tag(stanza.tag)
        outer = stanza.findall(xep_0200.C)
        error = stanza.find(f"{{{namespace}}}error" if namespace else "error")
        is_error = stanza.get("type") == "error" and error is not None
        inner = error.findall(xep_0200.C) if error is not None and is_error else []
        if kind not in _KINDS or len(outer) > 1 or len(inner) > 1 or not (outer or inner):
            raise DamagedError("a stanza holds one encrypted element")
        channel = self._channel
        contents = [xep_0200.read(element) for element in (*outer, *inner)]
        texts: list[bytes | None] = []
        for content in contents:
            try:
                channel, text = channel.open(content)
            except DamagedError:
                digest = _digest(content)
                if digest in self._taken or digest in self._sent:
                    raise RepeatedError("this stanza has passed before") from None
                raise
            texts.append(text)
        opened = _read(texts[0] if outer else None, kind, namespace, stanza)
        if is_error and error is not None:
            kept = xml.copy_element(error)
            for child in list(kept):
                if xep_0200.is_encryptable_in_error(child) or child.tag == xep_0200.C:
                    kept.remove(child)
            within = _read(texts[-1] if inner else None, "error", namespace, error)
            kept.extend(list(within))
            opened.append(kept)
        for content in contents:
            _remember(self._taken, content)
        self._commit(channel)
        return opened

    def can_rekey(self) -> bool:
        """Whether a key exchange could be started now."""
        return self._channel.may_rekey() and len(self._channel.sets) < MOST_KEY_SETS

    def authenticates(self, stanza: ET.Element) -> bool:
        """Whether this stanza is the next one, or has passed before; nothing changes."""
        channel = self._channel
        try:
            for element in stanza.findall(xep_0200.C):
                content = xep_0200.read(element)
                digest = _digest(content)
                if digest not in self._taken and digest not in self._sent:
                    channel, _ = channel.open(content)
        except DamagedError:
            return False
        return True

    def has_passed(self, stanza: ET.Element) -> bool:
        """Whether this stanza's content has been taken before."""
        try:
            return any(
                _digest(xep_0200.read(element)) in self._taken for element in stanza.findall(xep_0200.C)
            )
        except DamagedError:
            return False

    def has_sent(self, stanza: ET.Element) -> bool:
        """Whether this stanza carries encrypted content of ours, come back with an error."""
        try:
            return any(
                _digest(xep_0200.read(element)) in self._sent for element in stanza.findall(xep_0200.C)
            )
        except DamagedError:
            return False

    def forget_old_keys(self, now: datetime) -> None:
        """Destroy receiving keys that have waited long enough (XEP-0200 section 8.2)."""
        self._commit(self._channel.forget_old_sets(now, self._policy.keep_old_keys_for))

    def wipe_sending(self) -> None:
        """Destroy the keys of what we send, once nothing more may be sent."""
        send = self._channel.send
        send.cipher.wipe()
        send.mac.wipe()

    def wipe(self) -> None:
        """Destroy every key of the session."""
        for secret in self._channel.secrets():
            secret.wipe()

    def _pair(self, channel: Channel, octets: int, *, rekey: bool, may_rekey: bool) -> KeyPair | None:
        policy = self._policy
        blocks = channel.blocks + channel.blocks_of(octets + BLOCK_OCTETS)
        exhausted = blocks > BLOCK_LIMIT - _TERMINATION_RESERVE
        possible = may_rekey and channel.may_rekey() and len(channel.sets) < MOST_KEY_SETS
        due = policy.rekey_after is not None and channel.stanzas + 1 >= policy.rekey_after
        if rekey and not possible:
            raise MisuseError("the negotiated limit allows no key exchange yet")
        if may_rekey and exhausted and not possible:
            raise MisuseError("these keys may not encrypt more, and can't be exchanged: terminate")
        if possible and (rekey or due or blocks > BLOCK_LIMIT - _REKEY_RESERVE):
            chosen = group(channel.suite.group)
            exponent = crypto.private_exponent(chosen, self._entropy, whole_range=False)
            return KeyPair(exponent, crypto.public_value(chosen, exponent))
        return None

    def _padded(self, text: bytes) -> bytes:
        """Content as it is encrypted; for Gajim always whole blocks, so that no key stream is left over."""
        if not self._channel.suite.profile.carries_key_stream:
            return text
        return text + b" " * (-len(text) % BLOCK_OCTETS)

    def _commit(self, channel: Channel) -> None:
        before, self._channel = self._channel, channel
        if before.sets is channel.sets and before.send is channel.send and not before.publishable:
            return
        self.rekeyed_by_us |= channel.keys_sent > before.keys_sent
        self.rekeyed_by_peer |= channel.peer_value != before.peer_value
        kept = {id(secret) for secret in channel.secrets()}
        for secret in before.secrets():
            if id(secret) not in kept:
                secret.wipe()


def _read(text: bytes | None, kind: str, namespace: str, stanza: ET.Element) -> ET.Element:
    """Read content, as children of a stanza with the original's attributes and thread."""
    opened = xml.parse_content(text or b"", kind, namespace)
    opened.text = None
    for child in opened:
        if (child.tail or "").strip():
            raise MalformedError("the content holds text between its elements")
        child.tail = None
    opened.attrib.update(stanza.attrib)
    if kind == "message":
        tag = f"{{{namespace}}}thread" if namespace else "thread"
        if opened.find(tag) is not None:
            raise MalformedError("the content holds a thread, which is never encrypted")
        thread = stanza.find(tag)
        if thread is not None:
            opened.insert(0, xml.copy_element(thread))
    return opened


def _append_clear(
    sealed: ET.Element, clear: list[ET.Element], error: ET.Element | None, *, first: bool
) -> None:
    """Append what stays readable: the thread before the encrypted content, the rest after it."""
    for child in clear:
        if child is not error and (xml.split_tag(child.tag)[1] == "thread") is first:
            sealed.append(xml.copy_element(child))


def _digest(content: xep_0200.EncryptedContent) -> bytes:
    return hashlib.sha256(content.mac + content.signed).digest()[:16]


def _remember(memory: dict[bytes, None], content: xep_0200.EncryptedContent) -> None:
    memory[_digest(content)] = None
    if len(memory) > REMEMBERED_STANZAS:
        del memory[next(iter(memory))]
