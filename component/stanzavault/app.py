"""The running vault: the only place that wires its parts together."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from xml.etree.ElementTree import Element

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from stanzavault import upkeep
from stanzavault.accounts.owners import Owners
from stanzavault.archive.routes import ArchiveRoutes
from stanzavault.config import Settings
from stanzavault.flows.login import Login
from stanzavault.flows.retention import remove_expired_messages
from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import utc_now
from stanzavault.kernel.errors import OperatorError, StanzaError
from stanzavault.kernel.limits import Limits
from stanzavault.kernel.ports import Keyring
from stanzavault.kernel.routing import Routes
from stanzavault.keys.model.node import AccessModel, Policy
from stanzavault.keys.routes import KeyRoutes
from stanzavault.keys.store import Stores
from stanzavault.offline.model import Quota as OfflineQuota
from stanzavault.offline.routes import OfflineRoutes
from stanzavault.runtime import schema
from stanzavault.runtime.boundary import Addressing, Boundary, Pace, Privileges, ServerRoster, Terms
from stanzavault.runtime.database import GroupedDatabase
from stanzavault.runtime.engines import database_url
from stanzavault.runtime.health import HealthServer, Probes
from stanzavault.runtime.log import bind_stanza, count_withheld
from stanzavault.runtime.metrics import Metrics
from stanzavault.runtime.stream import (
    ConfigurationError,
    Failure,
    Refusal,
    SilentObserver,
    StanzaLimits,
    Stream,
    StreamSettings,
)

_log = logging.getLogger("stanzavault.app")

_SECONDS_BETWEEN_PURGES = 3600
_SHARE_FOR_STREAM = 0.6  # of the time to stop; what these two leave is for the last commit
_SHARE_FOR_LATE_REQUESTS = 0.2
_MOST_FOR_CUTTING_OFF = 3.0  # seconds: to give up a connection to a database that does not answer takes two

OpenKeyring = Callable[[AsyncEngine], Awaitable[Keyring]]


async def run_vault(
    settings: Settings, stop: asyncio.Event, *, open_keyring: OpenKeyring | None = None
) -> None:
    """Serve until `stop` is set; then take no more, finish what is in flight, commit and leave.

    Args:
        settings: of the deployment.
        stop: ends it, within `component.stop_within`.
        open_keyring: opens the database's keyring; by default under the configured master key.

    Raises:
        OperatorError: the database, its schema or its master key are not as they should be, or the settings
            contradict each other.
    """
    async with upkeep.opened(settings) as engine:
        await schema.require_known(engine)
        keyring = await (open_keyring or _configured_keyring(settings))(engine)
    await _Vault(settings, keyring).run(stop)


def _configured_keyring(settings: Settings) -> OpenKeyring:
    async def open_keyring(engine: AsyncEngine) -> Keyring:
        return await upkeep.open_keyring(engine, lambda: upkeep.master_keys(settings))

    return open_keyring


class _Vault:
    """The parts of one vault, wired."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._settings = settings
        self._component = Address.parse(str(settings.component.jid))
        self._registry = CollectorRegistry()
        self._metrics = Metrics(
            self._registry, stream_up=lambda: self._stream.connected, waiting=lambda: self._stream.waiting
        )
        count_withheld(self._metrics.log_withheld)
        self._privileges = Privileges()
        self._stream = Stream(
            _stream_settings(settings),
            self._handle,
            queue_key=self._queue_key,
            observer=_Watch(self._metrics, self._forget_server),
        )
        self._roster = ServerRoster(str(self._component), self._privileges, self._stream)
        self._database = GroupedDatabase(
            database_url(settings.database.url.get_secret_value()),
            Owners(keyring, [str(host) for host in settings.server.hosts]),
            utc_now,
            connections=settings.database.pool,
            min_free=settings.database.min_free,
            committed=self._metrics.committed,
        )
        self._login = Login(
            self._database,
            self._stream,
            self._component,
            utc_now,
            unopened=self._unopened_in("waiting"),
        )
        self._keys = KeyRoutes(
            self._database,
            Stores.make(self._unopened_in("keys")),
            self._stream,
            self._roster,
            component=str(self._component),
            policy=Policy(settings.keys.rsa_bits, AccessModel(settings.keys.access)),
            limits=_limits(settings),
        )
        self._boundary = Boundary(
            Addressing(str(self._component), [str(host) for host in settings.server.hosts]),
            Terms(
                reply=settings.limits.reply,
                pace=Pace(settings.limits.per_account.per_second, settings.limits.per_account.count),
                answer_within=settings.component.answer_within.total_seconds(),
                version=version("stanzavault"),
            ),
            self._routes(),
            self._privileges,
            self._stream,
            observer=self._metrics,
            correlated=bind_stanza,
        )
        self._health = HealthServer(
            self._registry,
            self._metrics,
            Probes(lambda: self._stream.connected, self._database.reachable, self._database.bytes_stored),
        )

    def _routes(self) -> list[Routes]:
        settings, limits = self._settings, _limits(self._settings)
        archive = ArchiveRoutes(
            self._database,
            limits=limits,
            quota=settings.archive.quota.bytes,
            unopened=self._unopened_in("archive"),
        )
        offline = OfflineRoutes(
            self._database,
            self._stream,
            self._login,
            self._component,
            limits=limits,
            quota=OfflineQuota(settings.offline.quota.bytes, settings.offline.quota.messages),
            retention=settings.offline.retention,
            unopened=self._unopened_in("waiting"),
        )
        return [self._roster.routes(), self._keys.routes(), archive.routes(), offline.routes()]

    def _unopened_in(self, table: str) -> Callable[[], None]:
        return lambda: self._metrics.record_not_opened(table)

    async def _handle(self, stanza: Element, waited: float) -> None:
        await self._boundary.handle(stanza, waited)  # which needs the stream, and so is made after it

    def _queue_key(self, stanza: Element) -> str:
        return self._boundary.queue_key(stanza)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        where = await self._health.start(self._settings.metrics.listen)
        _log.info("health and metrics are served", extra={"action": "started", "port": where.port})
        self._database.start()
        self._keys.start()
        tasks = [asyncio.create_task(self._stream.run()), asyncio.create_task(self._purge())]
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self._stop()
            tasks[1].cancel()
        await tasks[0]

    async def _stop(self) -> None:
        all_of_it = self._settings.component.stop_within.total_seconds()
        within = all_of_it - min(_MOST_FOR_CUTTING_OFF, all_of_it / 2)
        try:
            async with asyncio.timeout(within):
                await self._login.close()
                await self._stream.stop(within * _SHARE_FOR_STREAM)
                await self._boundary.finish(within * _SHARE_FOR_LATE_REQUESTS)
                await self._keys.close()
                await self._database.close()
        except TimeoutError:
            _log.warning("what was in flight did not end in time", extra={"action": "cut-off"})
        await self._health.close()

    async def _purge(self) -> None:
        while True:
            try:
                removed = await remove_expired_messages(self._database, self._component)
                _log.debug("expired messages were removed", extra={"action": "purged", "count": removed})
            except StanzaError as error:
                _log.warning(
                    "nothing was purged: %s",
                    error.condition,
                    extra={"action": "purge-failed", "condition": error.condition},
                )
            except Exception as error:  # noqa: BLE001 - the end of this task would end the vault
                _log.error("purging failed", exc_info=error, extra={"action": "purge-failed"})
            await asyncio.sleep(_SECONDS_BETWEEN_PURGES)

    def _forget_server(self) -> None:
        """The link is gone, and with it what the server allowed on it."""
        self._privileges.forget()
        self._roster.forget()


def _limits(settings: Settings) -> Limits:
    limits = settings.limits
    return Limits(stanza=limits.stanza, reply=limits.reply, page=limits.page, depth=limits.depth)


def _stream_settings(settings: Settings) -> StreamSettings:
    component, limits = settings.component, settings.limits
    tls = None
    if component.tls:
        tls = ssl.create_default_context(cafile=str(component.ca_file) if component.ca_file else None)
    try:
        return StreamSettings(
            jid=str(component.jid),
            secret=component.secret.get_secret_value(),
            host=component.host,
            port=component.port,
            tls=tls,
            allow_plaintext=component.allow_plaintext,
            limits=StanzaLimits(max_bytes=limits.stanza, max_depth=limits.depth),
        )
    except ConfigurationError as error:
        raise OperatorError(str(error), "Look at the section 'component' of the settings.") from error


class _Watch(SilentObserver):
    """Tells the metrics what the stream does, and what depended on it that it ended."""

    def __init__(self, metrics: Metrics, ended: Callable[[], None]) -> None:
        self._metrics = metrics
        self._ended = ended

    def connection_established(self) -> None:
        """See `StreamObserver`."""
        self._metrics.connection_established()

    def connection_ended(self, failure: Failure) -> None:
        """See `StreamObserver`."""
        self._ended()
        self._metrics.connection_ended(failure)

    def stanza_accepted(self, kind: str) -> None:
        """See `StreamObserver`."""
        self._metrics.stanza_accepted(kind)

    def stanza_refused(self, kind: str, refusal: Refusal) -> None:
        """See `StreamObserver`."""
        self._metrics.stanza_refused(kind, refusal)
