"""What the vault serves of messages for the absent."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from stanzavault.kernel.address import Address
from stanzavault.kernel.limits import Limits
from stanzavault.kernel.ports import Post
from stanzavault.kernel.routing import Delegated, DiscoNode, IqRoute, Routes
from stanzavault.offline.model import Quota
from stanzavault.offline.routes.leaving import Leaving
from stanzavault.offline.routes.presence import Presence
from stanzavault.offline.routes.retrieval import Retrieval
from stanzavault.offline.stanza import xep_0013, xep_0160
from stanzavault.offline.store import Unopened
from stanzavault.storage.unit import Database


class Logins(Protocol):
    """What is told of sessions and of messages for them (see `stanzavault.flows.login`)."""

    def available(self, resource: Address, priority: int) -> None:
        """A session sent its presence."""
        ...

    def unavailable(self, resource: Address) -> None:
        """A session ended."""
        ...

    def asked(self, resource: Address) -> None:
        """A session asked by XEP-0013."""
        ...

    def left(self, account: Address, position: int) -> None:
        """A message was left for an account, and is committed."""
        ...


class OfflineRoutes:
    """Serves messages for the absent (XEP-0160, XEP-0013).

    Args:
        database: where they wait.
        post: sends what goes out beside answers.
        logins: is told who comes and goes, and delivers.
        component: the vault's address.
        limits: bounds of requests and answers.
        quota: what one account may have waiting.
        retention: how long a message waits.
        unopened: told of each record that fails to open.
    """

    def __init__(
        self,
        database: Database,
        post: Post,
        logins: Logins,
        component: Address,
        *,
        limits: Limits,
        quota: Quota,
        retention: timedelta,
        unopened: Unopened = lambda: None,
    ) -> None:
        self._leaving = Leaving(
            database, logins.left, component, quota=quota, retention=retention, largest=limits.stanza
        )
        self._presence = Presence(database, post, logins.available, logins.unavailable, component)
        self._retrieval = Retrieval(database, post, logins.asked, component, limits=limits, unopened=unopened)

    def routes(self) -> Routes:
        """The requests that are served, and what is advertised."""
        retrieval = self._retrieval
        return Routes(
            iqs=(
                IqRoute("get", xep_0013.OFFLINE, retrieval.get),
                IqRoute("set", xep_0013.OFFLINE, retrieval.set),
            ),
            nodes=(DiscoNode(xep_0013.NAMESPACE, retrieval.number, retrieval.headers),),
            delegated=(Delegated(xep_0013.NAMESPACE, (xep_0013.NAMESPACE,), (xep_0013.NAMESPACE,)),),
            component_features=(xep_0013.NAMESPACE, xep_0160.FEATURE, xep_0160.STANZA_IDS),
            account_features=(xep_0013.NAMESPACE, xep_0160.FEATURE, xep_0160.STANZA_IDS),
            message=self._leaving.leave,
            presence=self._presence.take,
        )
