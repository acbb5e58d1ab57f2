"""YAML settings read into typed, documented models; durations and sizes with units."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from stanzavault.config.quantities import (
    Rate,
    parse_duration,
    parse_rate,
    parse_size,
    show_duration,
    show_size,
)
from stanzavault.config.settings import Component, each_section, each_setting
from stanzavault.config.values import Endpoint, is_loopback
from stanzavault.kernel.address import Address


def test_a_configuration_as_the_design_sketches_it(load, file: Path) -> None:
    secret = file.parent / "component.secret"
    secret.touch(mode=0o600)
    secret.write_text("s3cret")
    settings = load(
        f"""
component: {{jid: vault.example.org, host: 127.0.0.1, port: 5347, secret_file: {secret},
            allow_plaintext: false,      # a link that leaves this machine needs TLS, or this
            answer_within: 20s, stop_within: 15s}}
server:    {{hosts: [example.org]}}        # may hand over and send copies, for its own accounts
database:  {{url: "sqlite:////var/lib/stanzavault/vault.db", pool: 10, min_free: 1GiB}}
sealing:   {{master_key_file: /etc/stanzavault/master.key}}
keys:      {{rsa_bits: 2048, access: open}}
offline:   {{retention: 30d, quota: {{bytes: 20MiB, messages: 1000}}}}
archive:   {{quota: {{bytes: 1GiB}}}}
limits:    {{stanza: 256KiB, reply: 128KiB, page: 100, depth: 64, per_account: 20/s}}
log:       {{format: text, level: info}}
metrics:   {{listen: "127.0.0.1:9465"}}
"""
    )
    assert settings.component.jid == Address("", "vault.example.org")
    assert settings.component.answer_within == timedelta(seconds=20)
    assert settings.database.min_free == 1 << 30
    assert settings.sealing.master_key_file == Path("/etc/stanzavault/master.key")
    assert settings.limits.per_account == Rate(20, timedelta(seconds=1))
    assert settings.metrics.listen == Endpoint("127.0.0.1", 9465)
    nothing_but_defaults = load(
        f"component: {{jid: vault.example.org, secret_file: {secret}}}\n"
        "sealing: {master_key_file: /etc/stanzavault/master.key}"
    )
    for key, _ in each_setting():
        assert settings.value_of(key) == nothing_but_defaults.value_of(key)


def test_settings_do_not_change(load) -> None:
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.log.level = "debug"
    with pytest.raises(ValidationError, match="frozen"):
        settings.log = settings.log.model_copy(update={"level": "debug"})


def test_every_setting_and_section_is_documented() -> None:
    assert [key for key, field in each_setting() if not (field.description or "").endswith(".")] == []
    assert [section for _, section in each_section() if not section.__doc__] == []


def test_a_section_without_settings_has_its_defaults(load) -> None:
    assert load("limits:\n  # page: 5\noffline:\n  quota:\n").limits.page == 100


def test_paths_start_where_the_file_lies(load, file: Path) -> None:
    assert load("sealing: {master_key_file: keys/master.key}").sealing.master_key_file == (
        file.parent / "keys/master.key"
    )


def test_addresses_are_prepared(load) -> None:
    settings = load("server: {hosts: [EXAMPLE.org, bücher.example]}")
    assert settings.server.hosts == ("example.org", "bücher.example")


@pytest.mark.parametrize("link", [{"host": "127.0.0.53"}, {"host": "::1"}, {"host": "LOCALHOST"}])
def test_a_loopback_link_needs_no_tls(link: dict[str, str]) -> None:
    Component.model_validate({"jid": "vault.example.org", "secret": "s", **link})


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "xmpp.example.org", "localhost.example.org", "2001:db8::1", "0.0.0.0"]
)
def test_a_link_that_is_not_loopback_needs_tls_or_an_explicit_allow_plaintext(host: str) -> None:
    given_ = {"jid": "vault.example.org", "secret": "s", "host": host}
    with pytest.raises(ValidationError, match=r"needs component\.tls: true"):
        Component.model_validate(given_)
    assert Component.model_validate({**given_, "tls": True}).tls
    assert Component.model_validate({**given_, "allow_plaintext": True}).allow_plaintext
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:0", Endpoint("127.0.0.1", 0)),
        ("[::1]:9465", Endpoint("::1", 9465)),
        ("localhost:80", Endpoint("localhost", 80)),
    ],
)
def test_an_endpoint_is_an_address_and_a_port(text: str, endpoint: Endpoint, load) -> None:
    assert load(STANZAVAULT_METRICS__LISTEN=text).metrics.listen == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("20s", timedelta(seconds=20)),
        ("5min", timedelta(minutes=5)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(days=14)),
        ("1y", timedelta(days=365)),
    ],
)
def test_durations_have_units(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration
    assert show_duration(duration) == text


@given(st.integers(1, 10**9))
def test_a_duration_is_shown_as_it_is_read(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(show_duration(duration)) == duration


@given(st.integers(0, 2**50))
def test_a_size_is_shown_as_it_is_read(size: int) -> None:
    assert parse_size(show_size(size)) == size


@given(st.integers(1, 10**6), st.sampled_from(["s", "min", "h"]))
def test_a_rate_is_shown_as_it_is_read(count: int, unit: str) -> None:
    assert str(parse_rate(f"{count}/{unit}")) == f"{count}/{unit}"
    assert parse_rate(f"{count}/min").per_second == pytest.approx(count / 60)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.text())))
def test_whatever_is_no_quantity_is_refused_and_never_fails_otherwise(value: object) -> None:
    for parse in (parse_duration, parse_size, parse_rate):
        with suppress(ValueError):
            assert parse(value) is not None
