"""Sessions with one who is offline (XEP-0187): publish options, withdraw them, start, accept on return.

Before leaving: `publish`. On return, before sending presence: `come_back`; after it: `all_delivered`. To
reach somebody who has left: `start`.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal
from xml.etree import ElementTree as ET

from slixmpp.exceptions import IqError, XMPPError
from slixmpp.xmlstream import StanzaBase

from esession import OptionsError
from esession import Policy as SessionPolicy
from esession import offline as library
from esession.events import Outcome
from esession.keys import bare
from esession.wire import xep_0187
from esession.wire.xep_0004 import Form
from esession.wire.xep_0187 import PUBSUB, Audience
from stanzavault.kernel.address import Address
from stanzavault_client.asking import Asker
from stanzavault_client.errors import ClientError
from stanzavault_client.esession.memory import keep
from stanzavault_client.esession.sending import as_element
from stanzavault_client.esession.session import EncryptedSession
from stanzavault_client.keys import KeysPlugin
from stanzavault_client.lookup import plugin_of
from stanzavault_client.storage import RememberedKey
from stanzavault_client.vault import VaultPlugin

if TYPE_CHECKING:
    from stanzavault_client.esession.plugin import ESessionPlugin

Place = Literal["account", "vault"]
"""Where options are: with the account itself, at its server (XEP-0163), or with the vault of its host."""

_log = logging.getLogger("stanzavault_client.esession")

_OWNER: Final = f"{PUBSUB}#owner"
_MOST_EARLY: Final = 1000
_ITEM_ID: Final = "current"
_NOTHING: Final = frozenset({"item-not-found", "service-unavailable", "feature-not-implemented"})
_CLOSED: Final = frozenset({"forbidden", "not-authorized", "not-allowed", "subscription-required"})


class OfflineSessions:
    """The half of the plugin that deals with absence: `client.plugin['esession'].offline`."""

    def __init__(self, plugin: ESessionPlugin) -> None:
        self._plugin = plugin
        self._asker = Asker(plugin.client, plugin.policy.answer_within)
        self._returned: library.Absence | None = None
        self._standing: library.Absence | None = None
        self._early: list[ET.Element] | None = None

    # --- being away -----------------------------------------------------------------------------------

    async def publish(
        self,
        expires: datetime,
        *,
        audience: Audience = Audience.SUBSCRIBERS,
        only_this_resource: bool = True,
        place: Place = "account",
    ) -> None:
        """Publish options by which others start sessions with us while we are away.

        Args:
            expires: when they end; not long after one expects to be back (XEP-0187 section 6.2).
            audience: those who are subscribed to our presence, or all.
            only_this_resource: whether only this client, with this store, will open what is sent.
            place: where they are published.

        Raises:
            MisuseError: there is no signing key, or `expires` is past.
            IqError: the server doesn't take them.
        """
        plugin = self._plugin
        made = library.publish(
            plugin.party(plugin.sessions),
            audience,
            plugin.now(),
            expires=expires,
            key=plugin.store.offline_values.key,
            only_this_resource=only_this_resource,
        )
        keep(plugin.store, made.keep, plugin.now())
        to = await self._place_of(plugin.client.boundjid.bare, place)
        await self._make_node(made.create, audience, to)
        await self._asker.set(made.pubsub, to)
        if audience is Audience.ALL:
            self._standing = self._load(Audience.ALL)

    async def withdraw(self, audience: Audience = Audience.SUBSCRIBERS, *, place: Place = "account") -> None:
        """Take published options back. The private values stay until `come_back` or until they expire.

        Raises:
            IqError: the server doesn't let them go.
        """
        to = await self._place_of(self._plugin.client.boundjid.bare, place)
        try:
            # An empty item, as the text says; servers that refuse one are asked to delete it.
            await self._asker.set(xep_0187.publish(audience, None), to)
        except IqError:
            await self._retract(audience, to)

    async def come_back(self, *, place: Place = "account") -> None:
        """Return: withdraw options for subscribers, and destroy the kept values that must not stay.

        Call it before sending presence, by which the server delivers what it has kept.

        Raises:
            IqError: the options can't be withdrawn; then nothing is destroyed, and nothing can be opened.
        """
        if Audience.SUBSCRIBERS.name.lower() in self._plugin.store.offline_values.all():
            await self.withdraw(place=place)
        self._early = []
        self._returned = self._load(Audience.SUBSCRIBERS)
        self._standing = self._load(Audience.ALL)

    async def all_delivered(self) -> None:
        """Wait until the server has delivered everything; then destroy the values for subscribers.

        Call it after sending presence: servers answer in order. What a peer went on to send meanwhile is
        taken now, behind what had been kept.
        """
        ping = self._plugin.client.make_iq_get(ito=self._plugin.client.boundjid.host)
        ping.append(ET.Element("{urn:xmpp:ping}ping"))
        try:
            await ping.send(timeout=self._plugin.answer_within)  # type: ignore[no-untyped-call]  # slixmpp's
        except IqError:
            _log.debug("an error is as good an answer")
        early, self._early = self._early or [], None
        for stanza in early:
            self._plugin.take_again(stanza)
        if self._returned is not None:
            self._returned.forget()
            self._returned = None

    # --- reaching one who is away ---------------------------------------------------------------------

    async def start(
        self,
        peer: str,
        stanza: StanzaBase | ET.Element | None = None,
        *,
        body: str | None = None,
        one_shot: bool = False,
        policy: SessionPolicy | None = None,
        place: Place = "account",
    ) -> EncryptedSession:
        """Start a session with someone who is offline; it is terminated as soon as they come online.

        Args:
            peer: their bare JID.
            stanza: a first message, to be sent along.
            body: its text, in place of a message.
            one_shot: send nothing but this message.
            policy: what is accepted; by default what is pinned for the peer, or the plugin's.
            place: where the options are.

        Raises:
            OptionsError: there are none, or they must not be used.
            MisuseError: there is a session with this peer, or no signing key.
        """
        plugin, account = self._plugin, bare(peer)
        plugin.require_no_session_with(account)
        policy = policy or plugin.policy_for(account)
        party = plugin.party(policy)
        form = await self._fetch(account, place)
        if not party.knows(account):
            await self._learn_keys(account)
        now = plugin.now()
        options = library.verify(party, account, form, now)
        content = as_element(stanza, body) if stanza is not None or body is not None else None
        session, outcome = library.start(party, account, options, now, content=content, one_shot=one_shot)
        return plugin.take_in(session, outcome, said=content)

    async def _fetch(self, account: str, place: Place) -> Form:
        """The options for subscribers, or else those for all (XEP-0187 section 3.2).

        Raises:
            OptionsError: there are none.
            IqError: nobody can say.
        """
        to = await self._place_of(account, place)
        for audience in Audience:
            try:
                answer = await self._asker.get(xep_0187.request(audience), to or account)
            except IqError as error:
                if error.condition not in _NOTHING | _CLOSED:
                    raise
                continue
            form = xep_0187.read_published(answer)
            if form is not None:
                return form
        raise OptionsError(f"{account} publishes no options for offline sessions")

    async def _learn_keys(self, account: str) -> None:
        """Remember, unconfirmed, the sound keys that an account publishes (XEP-0189)."""
        plugin = self._plugin
        if KeysPlugin.name not in plugin.client.plugin:
            return
        try:
            published = await plugin_of(plugin.client, KeysPlugin).fetch(account)
        except (ClientError, XMPPError) as error:
            _log.info("no keys of %s can be fetched: %s", account, error)
            return
        for seen in published:
            if not seen.problems:
                plugin.store.known_keys.put(RememberedKey(account, seen.key, plugin.now()))

    # --- what the plugin calls ------------------------------------------------------------------------

    def take(self, stanza: ET.Element) -> None:
        """Take a stanza that starts a session with us as one who is or was away; it is never answered."""
        now, ignored = self._plugin.now(), Outcome()
        for absence in (self._returned, self._standing):
            if absence is None:
                continue
            session, outcome = absence.accept(stanza, now)
            if session is not None:
                self._plugin.take_in(session, outcome)
                return
            ignored += outcome
        _log.info(
            "an offline session was not taken: %s", "; ".join(map(_told, ignored.events)) or "no values"
        )

    def hold(self, stanza: ET.Element) -> bool:
        """Hold a stanza back between `come_back` and `all_delivered`; whether it is."""
        if self._early is None or len(self._early) >= _MOST_EARLY:
            return False
        self._early.append(stanza)
        return True

    # --- within ---------------------------------------------------------------------------------------

    def _load(self, audience: Audience) -> library.Absence | None:
        """The kept values for an audience, in memory; in the store only what may stay there."""
        plugin, record = self._plugin, audience.name.lower()
        memory = plugin.store.offline_values
        kept = {name: wrapped for name, wrapped in memory.all().items() if name == record}
        if not kept:
            return None
        party = plugin.party(plugin.sessions)
        absence, outcome = library.Absence.ended(party, kept, memory.key, plugin.now())
        for effect in outcome.effects:
            keep(plugin.store, effect, plugin.now())
        return absence

    async def _make_node(self, create: ET.Element, audience: Audience, to: str | None) -> None:
        try:
            await self._asker.set(create, to)
        except IqError as error:
            if error.condition != "conflict":
                raise
            # It is there already, perhaps open to others than its audience.
            owner = ET.Element(f"{{{_OWNER}}}pubsub")
            configure = ET.SubElement(owner, f"{{{_OWNER}}}configure", {"node": audience.value})
            configure.extend(create.findall(f"{{{PUBSUB}}}configure/*"))
            await self._asker.set(owner, to)

    async def _retract(self, audience: Audience, to: str | None) -> None:
        pubsub = ET.Element(f"{{{PUBSUB}}}pubsub")
        retract = ET.SubElement(pubsub, f"{{{PUBSUB}}}retract", {"node": audience.value})
        ET.SubElement(retract, f"{{{PUBSUB}}}item", {"id": _ITEM_ID})
        try:
            await self._asker.set(pubsub, to)
        except IqError as error:
            if error.condition != "item-not-found":
                raise

    async def _place_of(self, account: str, place: Place) -> str | None:
        """Whom to ask; None for one's own account, which needs no address."""
        if place == "vault":
            return await plugin_of(self._plugin.client, VaultPlugin).address_of(Address.parse(account))
        return None if account == self._plugin.client.boundjid.bare else account


def _told(event: object) -> str:
    return str(getattr(event, "text", ""))
