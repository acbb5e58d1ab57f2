"""Metrics: stream up, database reachable, stanzas by kind and outcome, latencies, queue depth and more."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from stanzavault.runtime.metrics import Metrics
from stanzavault.runtime.stream.failures import Failure, FailureReason
from stanzavault.runtime.stream.refusals import Refusal


class Parts:
    up = False
    waiting = 0


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry, parts: Parts) -> Metrics:
    return Metrics(registry, stream_up=lambda: parts.up, waiting=lambda: parts.waiting)


@pytest.fixture
def value(registry: CollectorRegistry, metrics: Metrics):
    return lambda name, **labels: registry.get_sample_value(f"stanzavault_{name}", labels)


def test_stream_up_and_queue_depth_are_those_of_the_moment(value, parts: Parts) -> None:
    assert (value("stream_up"), value("stanzas_waiting")) == (0, 0)
    parts.up, parts.waiting = True, 17
    assert (value("stream_up"), value("stanzas_waiting")) == (1, 17)


def test_reconnects_are_counted_by_reason(value, metrics: Metrics) -> None:
    metrics.connection_ended(Failure(FailureReason.WRONG_SECRET))
    metrics.connection_ended(Failure(FailureReason.WRONG_SECRET, "not-authorized"))
    metrics.connection_established()
    assert value("stream_disconnections_total", reason="wrong-secret") == 2
    assert value("stream_disconnections_total", reason="conflict") is None
    assert value("stream_connections_total") == 1


def test_stanzas_are_counted_by_kind_and_outcome_with_their_latencies(value, metrics: Metrics) -> None:
    metrics.stanza_accepted("iq")
    metrics.settled("iq", "result", 0.03)
    metrics.settled("iq", "internal-server-error", 7)
    metrics.stanza_refused("message", Refusal.TOO_DEEP)
    assert value("stanzas_accepted_total", kind="iq") == 1
    assert value("stanzas_total", kind="iq", outcome="result") == 1
    assert value("stanzas_total", kind="iq", outcome="internal-server-error") == 1
    assert value("stanzas_total", kind="message", outcome="too-deep") == 1
    assert value("stanza_seconds_count", kind="iq") == 2
    assert value("stanza_seconds_bucket", kind="iq", le="0.05") == 1
    assert value("stanza_seconds_sum", kind="iq") == pytest.approx(7.03)


def test_records_that_failed_to_open_commits_and_what_the_log_withheld_are_counted(
    value, metrics: Metrics
) -> None:
    metrics.record_not_opened("offline_message")
    metrics.committed(3)
    metrics.committed(128)
    metrics.log_withheld("library")
    assert value("records_not_opened_total", table="offline_message") == 1
    assert value("commit_units_count") == 2
    assert value("commit_units_sum") == 131
    assert value("commit_units_bucket", le="4.0") == 1
    assert value("log_withheld_total", what="library") == 1


def test_the_size_of_the_database_stays_what_it_was_while_nobody_can_ask_it(value, metrics: Metrics) -> None:
    metrics.database_asked(reachable=True, bytes_stored=4096)
    metrics.database_asked(reachable=False, bytes_stored=None)
    assert (value("database_reachable"), value("bytes_stored")) == (0, 4096)


def test_two_vaults_in_one_process_count_apart_and_nothing_is_global(parts: Parts, metrics: Metrics) -> None:
    other = CollectorRegistry()
    Metrics(other, stream_up=lambda: True, waiting=lambda: 0)
    assert b"stanzavault_stream_up 1.0" in generate_latest(other)
    assert b"stanzavault" not in generate_latest(REGISTRY)
