"""Settings that make no sense, or that would not be safe, never get as far as a connection."""

import ssl
from typing import Any

import pytest

from stanzavault.runtime.stream import (
    ConfigurationError,
    QueueLimits,
    ReconnectPace,
    StanzaLimits,
    StreamSettings,
)


def settings(**changed: Any) -> StreamSettings:
    return StreamSettings(**{"jid": "vault.example.org", "secret": "s3cret", "host": "127.0.0.1", **changed})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST"])
def test_a_link_on_this_machine_needs_nothing(host: str) -> None:
    assert settings(host=host).host == host


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "0.0.0.0",
        "::",
        "2001:db8::1",
        "xmpp.example.org",
        "localhost.example.org",
        "127.0.0.1.nip.example",
    ],
)
def test_a_link_that_is_not_loopback_needs_tls_or_allow_plaintext(host: str) -> None:
    with pytest.raises(ConfigurationError, match="set tls, or allow_plaintext"):
        settings(host=host)
    assert settings(host=host, allow_plaintext=True)
    assert settings(host=host, tls=ssl.create_default_context())


def test_tls_that_verifies_nothing_is_refused() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    with pytest.raises(ConfigurationError, match="verify"):
        settings(tls=context)
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ConfigurationError, match="verify"):
        settings(tls=context)


@pytest.mark.parametrize(
    "wrong",
    [
        {"jid": ""}, {"jid": "user@example.org"}, {"jid": "example.org/x"}, {"jid": "a b"}, {"secret": ""},
        {"host": ""}, {"port": 0}, {"port": 65536}, {"handshake_timeout": 0}, {"keepalive": -1},
        {"stall_timeout": float("nan")},
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_by_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        settings(**wrong)


@pytest.mark.parametrize("group", [StanzaLimits, QueueLimits, ReconnectPace])
def test_no_limit_is_zero(group: Any) -> None:
    for name in group.__dataclass_fields__:
        with pytest.raises(ConfigurationError, match=name):
            group(**{name: 0})


def test_the_secret_is_never_shown() -> None:
    assert "s3cret" not in repr(settings())
