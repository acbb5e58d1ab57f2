"""What the vault serves of published keys: pubsub (XEP-0060) and the direct request (XEP-0189)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, assert_never
from xml.etree.ElementTree import Element

from stanzavault.kernel.limits import Limits
from stanzavault.kernel.ports import Post, Roster
from stanzavault.kernel.request import Request, Way
from stanzavault.kernel.routing import Delegated, IqRoute, Routes
from stanzavault.keys.kinds.table import KindTable
from stanzavault.keys.model.node import Policy
from stanzavault.keys.model.requests import (
    Affiliate,
    Configure,
    Create,
    Delete,
    Fetch,
    ListAffiliations,
    ListSubscriptions,
    Publish,
    Purge,
    Retract,
    ShowAffiliations,
    ShowConfiguration,
    ShowDefault,
    Subscribe,
    Unsubscribe,
)
from stanzavault.keys.routes.announcing import Announcer
from stanzavault.keys.routes.discovery import NodeDiscovery
from stanzavault.keys.routes.gate import Gate
from stanzavault.keys.routes.owning import Owning
from stanzavault.keys.routes.publishing import Publishing
from stanzavault.keys.routes.reading import ANSWER_BYTES, Reading
from stanzavault.keys.routes.subscribing import Subscribing
from stanzavault.keys.stanza import xep_0060, xep_0060_owner
from stanzavault.keys.stanza.xep_0189 import ATTEST, PUBKEY, PUBLIC_KEY_TAG, REVOKE
from stanzavault.keys.store import Stores
from stanzavault.storage.unit import Database
from stanzavault.wire import xep_0059

_ADDRESSED: Final = frozenset({Way.DIRECT, Way.BY_ACCOUNT})
_PUBSUB_FEATURES: Final = (
    "auto-create",
    "config-node",
    "create-and-configure",
    "create-nodes",
    "delete-items",
    "item-ids",
    "member-affiliation",
    "meta-data",
    "modify-affiliations",
    "multi-items",
    "persistent-items",
    "publish",
    "publish-options",
    "purge-nodes",
    "retract-items",
    "retrieve-affiliations",
    "retrieve-default",
    "retrieve-items",
    "retrieve-subscriptions",
    "subscribe",
)


class KeyRoutes:
    """Serves published keys, and whatever else is a node.

    `start` and `close` frame its sending of notifications.

    Args:
        database: where all is kept.
        stores: of the slice.
        post: sends notifications.
        roster: tells who may see the presence of whom.
        component: the vault's own domain.
        policy: what an account may publish.
        limits: of requests and answers.
        kinds: the nodes that an account may have.
    """

    def __init__(
        self,
        database: Database,
        stores: Stores,
        post: Post,
        roster: Roster,
        *,
        component: str,
        policy: Policy,
        limits: Limits,
        kinds: KindTable | None = None,
    ) -> None:
        table = kinds or KindTable()
        fitting = replace(policy, item_bytes=min(policy.item_bytes, limits.reply - 2 * ANSWER_BYTES))
        gate = Gate(database, stores, roster, [kind.name for kind in table if kind.owner_only])
        self._limits = limits
        self._access = policy.access
        self._announcer = Announcer(post, gate, stores.subscriptions, component)
        self._publishing = Publishing(database, stores, table, fitting, gate, self._announcer)
        self._owning = Owning(database, stores, table, fitting, gate, self._announcer)
        self._subscribing = Subscribing(database, stores, table, fitting, gate)
        self._reading = Reading(database, stores, table, gate, limits)
        self._discovery = NodeDiscovery(table, gate, self._reading)

    def start(self) -> None:
        """Begin to send notifications."""
        self._announcer.start()

    async def close(self) -> None:
        """Send the notifications of what is committed, then end."""
        await self._announcer.close()

    def routes(self) -> Routes:
        """All that is served."""
        features = (
            xep_0060.PUBSUB,
            *(f"{xep_0060.PUBSUB}#{name}" for name in (f"access-{self._access.value}", *_PUBSUB_FEATURES)),
            xep_0059.NAMESPACE,
            PUBKEY,
            REVOKE,
            ATTEST,
        )
        return Routes(
            iqs=(
                IqRoute("get", xep_0060.PUBSUB_TAG, self._get, _ADDRESSED),
                IqRoute("set", xep_0060.PUBSUB_TAG, self._set, _ADDRESSED),
                IqRoute("get", xep_0060_owner.OWNER_TAG, self._get_as_owner, _ADDRESSED),
                IqRoute("set", xep_0060_owner.OWNER_TAG, self._set_as_owner, _ADDRESSED),
                IqRoute("get", PUBLIC_KEY_TAG, self._reading.request_key),
            ),
            nodes=tuple(self._discovery.nodes()),
            delegated=(Delegated(PUBKEY, account_features=(PUBKEY,)),),
            component_features=features,
            account_features=features,
            identities=(("pubsub", "pep"),),
        )

    async def _get(self, request: Request) -> Element | None:
        match xep_0060.parse_get(request.payload, self._limits):
            case Fetch() as command:
                return await self._reading.fetch(request, command)
            case ListSubscriptions() as command:
                return await self._subscribing.list_subscriptions(request, command)
            case ListAffiliations() as command:
                return await self._subscribing.list_affiliations(request, command)
            case other:
                assert_never(other)

    async def _set(self, request: Request) -> Element | None:
        match xep_0060.parse_set(request.payload, self._limits):
            case Publish() as command:
                return await self._publishing.publish(request, command)
            case Retract() as command:
                await self._publishing.retract(request, command)
            case Create() as command:
                await self._owning.create(request, command)
            case Subscribe() as command:
                return await self._subscribing.subscribe(request, command)
            case Unsubscribe() as command:
                await self._subscribing.unsubscribe(request, command)
            case other:
                assert_never(other)
        return None

    async def _get_as_owner(self, request: Request) -> Element | None:
        match xep_0060_owner.parse_get(request.payload):
            case ShowDefault():
                return await self._owning.show_default(request)
            case ShowConfiguration() as command:
                return await self._owning.show_configuration(request, command.node)
            case ShowAffiliations() as command:
                return await self._owning.show_affiliations(request, command.node)
            case other:
                assert_never(other)

    async def _set_as_owner(self, request: Request) -> Element | None:
        match xep_0060_owner.parse_set(request.payload, self._limits):
            case Configure() as command:
                await self._owning.configure(request, command)
            case Affiliate() as command:
                await self._owning.affiliate(request, command)
            case Purge() as command:
                await self._owning.purge(request, command)
            case Delete() as command:
                await self._owning.delete(request, command)
            case other:
                assert_never(other)
        return None
