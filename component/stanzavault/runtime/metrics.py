"""What the service counts and measures, for Prometheus; labels are words of ours, never content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from stanzavault.runtime.stream.failures import Failure
from stanzavault.runtime.stream.refusals import Refusal

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)
_GROUP: Final = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The metrics of one running vault: what its stream, boundary and database tell.

    Args:
        registry: where they are registered; nothing is global.
        stream_up: whether there is an established stream.
        waiting: stanzas that wait for a handler.
    """

    def __init__(
        self, registry: CollectorRegistry, *, stream_up: Callable[[], bool], waiting: Callable[[], int]
    ) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"stanzavault_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"stanzavault_{name}", text, registry=registry)

        gauge("stream_up", "Whether the stream to the server is established.").set_function(stream_up)
        gauge("stanzas_waiting", "Stanzas that wait for a handler.").set_function(waiting)
        self._database_reachable = gauge(
            "database_reachable", "Whether the database answered when asked last."
        )
        self._bytes_stored = gauge("bytes_stored", "Bytes that the database takes.")
        self._connections = counter("stream_connections", "Streams that were established.")
        self._disconnections = counter(
            "stream_disconnections",
            "Streams that ended or could not be made, each followed by another try.",
            "reason",
        )
        self._accepted = counter("stanzas_accepted", "Stanzas that were taken in.", "kind")
        self._stanzas = counter(
            "stanzas", "Stanzas that were served, failed or were refused.", "kind", "outcome"
        )
        self._seconds = Histogram(
            "stanzavault_stanza_seconds", "Time from taking a stanza up to its end.", ["kind"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._not_opened = counter("records_not_opened", "Sealed records that failed to open.", "table")
        self._group = Histogram(
            "stanzavault_commit_units", "Units of work in one commit.", buckets=_GROUP, registry=registry
        )
        self._log_withheld = counter(
            "log_withheld", "What the log left out as possibly confidential.", "what"
        )

    def connection_established(self) -> None:
        """The server has accepted the handshake."""
        self._connections.inc()

    def connection_ended(self, failure: Failure) -> None:
        """A connection ended, or could not be made."""
        self._disconnections.labels(failure.reason.value).inc()

    def stanza_accepted(self, kind: str) -> None:
        """A stanza is handed on, or waits to be."""
        self._accepted.labels(kind).inc()

    def stanza_refused(self, kind: str, refusal: Refusal) -> None:
        """A stanza is not served."""
        self._stanzas.labels(kind, refusal.label).inc()

    def settled(self, kind: str, outcome: str, seconds: float) -> None:
        """The boundary is done with a stanza, so many seconds after taking it."""
        self._stanzas.labels(kind, outcome).inc()
        self._seconds.labels(kind).observe(seconds)

    def record_not_opened(self, table: str) -> None:
        """A sealed record of a table failed to open."""
        self._not_opened.labels(table).inc()

    def committed(self, units: int) -> None:
        """That many units of work became durable in one commit."""
        self._group.observe(units)

    def log_withheld(self, what: str) -> None:
        """The log left something out (see `LogGuard`)."""
        self._log_withheld.labels(what).inc()

    def database_asked(self, *, reachable: bool, bytes_stored: int | None) -> None:
        """What the database answered; its size where it told it."""
        self._database_reachable.set(reachable)
        if bytes_stored is not None:
            self._bytes_stored.set(bytes_stored)
