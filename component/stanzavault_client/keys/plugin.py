"""The plugin `keys`: publish, fetch, verify, revoke, vouch for and watch public keys (XEP-0189)."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Final, Literal, TypeVar
from xml.etree.ElementTree import Element

from slixmpp.exceptions import XMPPError
from slixmpp.plugins import BasePlugin
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from esession.crypto import SigningKey
from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import utc_now
from stanzavault.kernel.errors import StanzaError
from stanzavault.keys.model.public_key import Attestation, Fingerprint, PublicKey, Revocation
from stanzavault.keys.stanza.xep_0189 import (
    ATTEST,
    PUBKEY,
    PUBLIC_KEY_TAG,
    REVOKE,
    parse_attestation,
    parse_public_key,
    parse_revocation,
    render_attestation,
    render_public_key,
    render_revocation,
)
from stanzavault.wire.xml import element
from stanzavault_client.asking import read
from stanzavault_client.errors import NotTrusted
from stanzavault_client.keys import memory
from stanzavault_client.keys.events import change_in
from stanzavault_client.keys.judging import judge
from stanzavault_client.keys.making import make_attestation, make_key, make_revocation
from stanzavault_client.keys.model import SeenKey, Trust
from stanzavault_client.lookup import plugin_of
from stanzavault_client.policy import Policy
from stanzavault_client.pubsub import ACCESS, Nodes
from stanzavault_client.storage import OwnKey, Store
from stanzavault_client.vault import FoundVault, VaultPlugin

Result = TypeVar("Result")
Access = Literal["open", "presence", "whitelist"]

_log = logging.getLogger("stanzavault_client.keys")

_EVENTS: Final = "Keys of the vault that changed"
_REQUESTS: Final = "Requests for this client's key"
_HEX_DIGITS: Final = 64


class KeysPlugin(BasePlugin):
    """Public keys of this client's user, and of others.

    The event `keys_changed` (`KeysChanged`) tells that something has changed on one's own nodes, or on nodes
    that are subscribed to, of accounts whose host was asked in this session: fetch again. Accounts are given
    as bare addresses.
    """

    name = "keys"
    description = "Stanzavault: public keys (XEP-0189)"
    dependencies: ClassVar[set[str]] = {"vault", "xep_0030"}
    default_config: ClassVar[dict[str, Any]] = {"store": None, "policy": Policy()}

    store: Store
    policy: Policy

    def plugin_init(self) -> None:
        """See BasePlugin."""
        self._vault = plugin_of(self.xmpp, VaultPlugin)
        self.xmpp.register_handler(Callback(_EVENTS, MatchXPath("{jabber:client}message"), self._take))
        self.xmpp.register_handler(
            Callback(_REQUESTS, MatchXPath(f"{{jabber:client}}iq/{PUBLIC_KEY_TAG}"), self._answer)
        )

    def plugin_end(self) -> None:
        """See BasePlugin."""
        for handler in (_EVENTS, _REQUESTS):
            self.xmpp.remove_handler(handler)
        for feature in (PUBKEY, REVOKE, ATTEST):
            self.xmpp.plugin["xep_0030"].del_feature(feature=feature)

    def session_bind(self, jid: Any) -> None:  # noqa: ARG002 - slixmpp gives the address that the server bound
        """Tell what this client supports (XEP-0189, section 8)."""
        for feature in (PUBKEY, REVOKE, ATTEST):
            self.xmpp.plugin["xep_0030"].add_feature(feature)

    @property
    def own(self) -> Sequence[OwnKey]:
        """The keys that this client holds for its account, the oldest first."""
        return self.store.own_keys.of(str(self._vault.own_account))

    async def generate(self, *, bits: int | None = None, valid_for: timedelta | None = None) -> OwnKey:
        """Make a key pair and keep it; nothing is published. It takes seconds, beside the stream.

        Args:
            bits: of its modulus; the policy's by default.
            valid_for: how long; the policy's by default.
        """
        private = await asyncio.to_thread(SigningKey.generate, bits or self.policy.new_bits)
        now = utc_now()
        key = make_key(private, self._vault.own_account, now, now + (valid_for or self.policy.valid_for))
        self.store.own_keys.put(key)
        return key

    async def publish(self, key: OwnKey, *, access: Access | None = None) -> OwnKey:
        """Publish a key that this client holds; again, to replace what stands under its item.

        Args:
            key: one of `own`.
            access: who may read keys of this account; what the node has, or the vault gives, by default.

        Raises:
            NotTrusted: it is revoked, or not valid now.
            IqError: the vault refuses it.
        """
        if not key.is_valid_at(utc_now()):
            raise NotTrusted("This key can't be published", ["it is revoked, or not valid now"])
        nodes = await self._nodes(self._vault.own_account)
        item_id = await nodes.publish(PUBKEY, render_public_key(key.public), item_id=key.item_id)
        published = replace(key, item_id=item_id)
        self.store.own_keys.put(published)
        if access is not None:
            await nodes.configure(PUBKEY, {ACCESS: access})
        return published

    async def retract(self, key: OwnKey) -> OwnKey:
        """Take a key back from where it is published: it is shown no longer, and not revoked."""
        if key.item_id:
            await (await self._nodes(self._vault.own_account)).retract(PUBKEY, key.item_id)
        retracted = replace(key, item_id="")
        self.store.own_keys.put(retracted)
        return retracted

    async def revoke(self, key: OwnKey) -> OwnKey:
        """Withdraw a key for good: everybody who asks is told, and it vouches for nothing any more.

        It goes on opening what was sealed to it.
        """
        now = utc_now()
        nodes = await self._nodes(self._vault.own_account)
        await nodes.publish(REVOKE, render_revocation(make_revocation(key, now)))
        revoked = replace(key, revoked_at=now)
        self.store.own_keys.put(revoked)
        return revoked

    async def fetch(self, account: str) -> list[SeenKey]:
        """Every key that an account publishes, verified here, in the order of publication.

        Raises:
            NoVault: its host shows no vault.
            IqError: they are not for this account to read.
        """
        address = Address.parse(account)
        nodes = await self._nodes(address)
        published = await self._read(nodes, PUBKEY, parse_public_key)
        revocations = await self._read(nodes, REVOKE, parse_revocation)
        attestations = await self._read(nodes, ATTEST, parse_attestation)
        return list(self._judge(address, published, revocations, attestations))

    async def request(self, account: str) -> SeenKey:
        """The one key to use for an account, asked for directly (section 6). Revocations are not looked at.

        Raises:
            IqError: it has none, or none for this account to read.
        """
        address = Address.parse(account)
        answer = await self._vault.asker.get(element(PUBLIC_KEY_TAG), await self._vault.address_of(address))
        (seen,) = self._judge(address, [read(answer, parse_public_key)])
        return seen

    async def verify(self, account: str, fingerprint: str) -> SeenKey:
        """Confirm a key, after its user has compared the fingerprint by another way than this server.

        Args:
            account: whose key.
            fingerprint: in Base64 or in hexadecimal digits, as it was told by its owner.

        Raises:
            NotTrusted: the account publishes no such key, or the key has problems; nothing is confirmed.
        """
        wanted = _fingerprint(fingerprint)
        for key in await self.fetch(account):
            if key.public.fingerprint.is_same(wanted):
                if key.problems:
                    raise NotTrusted("The key is there, but not to be used", key.problems)
                memory.confirm(self.store, key.account, key.public.key)
                return replace(key, trust=Trust.CONFIRMED) if key.trust is not Trust.OWN else key
        raise NotTrusted("Nothing was confirmed", [f"{account} publishes no key with this fingerprint"])

    async def attest(self, key: SeenKey, *, signer: OwnKey | None = None) -> Element:
        """Vouch for a key: `<attest/>`, signed. For another device of one's own it is published at once.

        Another account publishes what vouches for it itself: hand the element to its owner.

        Args:
            key: one that is usable.
            signer: one of `own`; the newest valid one by default.

        Raises:
            NotTrusted: the key is not known to be its owner's, or there is nothing to sign with.
        """
        if not key.is_usable:
            raise NotTrusted("Nobody should vouch for this key", key.problems or [key.trust.value])
        signer = signer or self.newest()
        attestation = render_attestation(make_attestation(signer, key.public, utc_now()))
        if key.account == self._vault.own_account:
            await self.publish_attestation(attestation)
        return attestation

    async def publish_attestation(self, attestation: Element) -> None:
        """Publish what somebody said of a key of one's own."""
        nodes = await self._nodes(self._vault.own_account)
        await nodes.publish(ATTEST, attestation)

    async def subscribe(self, account: str, node: str = PUBKEY) -> None:
        """Be told (`keys_changed`) when a node of an account changes."""
        await (await self._nodes(Address.parse(account))).subscribe(node, self.xmpp.boundjid.bare)

    async def unsubscribe(self, account: str, node: str = PUBKEY) -> None:
        """Be told no longer."""
        await (await self._nodes(Address.parse(account))).unsubscribe(node, self.xmpp.boundjid.bare)

    def newest(self) -> OwnKey:
        """The newest own key that is valid now, a published one before others.

        Raises:
            NotTrusted: there is none.
        """
        now = utc_now()
        valid = [key for key in self.own if key.is_valid_at(now)]
        if not valid:
            raise NotTrusted("There is nothing to sign with", ["this client holds no valid key"])
        return max(valid, key=lambda key: bool(key.item_id))

    async def _nodes(self, account: Address) -> Nodes:
        return Nodes(self._vault.asker, await self._vault.address_of(account))

    async def _read(self, nodes: Nodes, node: str, reader: Callable[[Element], Result]) -> list[Result]:
        found = []
        for item in await nodes.items(node, self.policy.entries):
            try:
                found.append(reader(item.payload))
            except StanzaError as error:
                _log.warning("an item of %s can't be read: %s", node, error.text)
        return found

    def _judge(
        self,
        account: Address,
        published: Sequence[PublicKey],
        revocations: Sequence[Revocation] = (),
        attestations: Sequence[Attestation] = (),
    ) -> Sequence[SeenKey]:
        known = memory.recall(self.store, self._vault.own_account, account, self.policy.least_bits)
        judgement = judge(account, published, revocations, attestations, known)
        memory.learn(self.store, account, known, judgement.revoked)
        return judgement.keys

    def _take(self, message: StanzaBase) -> None:
        told = change_in(message.xml)
        if told is None:
            return
        sender, change = told

        def tell(vault: FoundVault) -> None:
            if vault.jid == sender:  # nobody else tells of this account's nodes
                self.xmpp.event("keys_changed", change)

        found = self._vault.found(change.account.domain)
        if found is not None:
            tell(found)
        elif change.account.domain == self._vault.own_account.domain:
            self._vault.with_own(tell)

    def _answer(self, iq: StanzaBase) -> None:
        """Give this client's own key to who asks this very client for it (section 6)."""
        if iq["type"] != "get":
            return
        published = [key for key in self.own if key.item_id and key.is_valid_at(utc_now())]
        if not published:
            raise XMPPError("item-not-found", "This client has published no key.")
        reply = self.xmpp.make_iq_result(iq["id"], iq["from"])
        reply.append(render_public_key(published[-1].public))
        reply.send()  # type: ignore[no-untyped-call]  # slixmpp


def _fingerprint(text: str) -> Fingerprint:
    dense = "".join(text.split())
    try:
        digest = bytes.fromhex(dense) if len(dense) == _HEX_DIGITS else base64.b64decode(dense, validate=True)
    except ValueError:
        digest = b""
    if len(digest) != _HEX_DIGITS // 2:
        raise NotTrusted("Nothing was confirmed", ["a fingerprint is 64 hexadecimal digits, or Base64"])
    return Fingerprint.of(digest)
