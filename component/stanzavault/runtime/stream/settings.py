"""The stream's settings, checked when they are made: an unsafe link never gets as far as a connection."""

import ssl
from dataclasses import dataclass, field, fields
from typing import Final

from .addresses import is_domain, is_loopback_host
from .failures import ConfigurationError

_HIGHEST_PORT: Final = 65535


def _require_positive(settings: object) -> None:
    for entry in fields(settings):  # type: ignore[arg-type]  # every caller is a dataclass
        value = getattr(settings, entry.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and not value > 0:
            raise ConfigurationError(f"{entry.name} must be greater than zero, and is {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StanzaLimits:
    """How large one incoming stanza may be; one that exceeds a limit is refused, and the stream goes on.

    Attributes:
        max_bytes: Bytes of one stanza, as sent, up to its closing tag.
        max_depth: Levels of nesting; the stanza itself is the first.
        max_parts: Elements and attributes together.
    """

    max_bytes: int = 256 * 1024
    max_depth: int = 64
    max_parts: int = 10_000

    def __post_init__(self) -> None:
        _require_positive(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How much may wait and run at once. A key is an account: whatever ``queue_key`` says.

    Attributes:
        total: Stanzas waiting; at this number reading pauses.
        total_bytes: Bytes of the stanzas waiting; at this number reading pauses.
        per_key: Stanzas of one key waiting; one more is answered ``resource-constraint``.
        per_key_bytes: Bytes of one key's stanzas waiting; one beyond is answered ``resource-constraint``.
        concurrency: Handlers running at once.
        concurrency_per_key: Handlers of one key running at once; 1 keeps an account's stanzas in order
            (RFC 6120 section 10.1).
    """

    total: int = 1000
    total_bytes: int = 16 * 1024 * 1024
    per_key: int = 200
    per_key_bytes: int = 2 * 1024 * 1024
    concurrency: int = 64
    concurrency_per_key: int = 1

    def __post_init__(self) -> None:
        _require_positive(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectPace:
    """Capped exponential backoff, in seconds.

    Attributes:
        first: Upper bound of the first delay; it doubles with every failure.
        cap: Upper bound that no delay exceeds.
        stable_after: A connection that lasted this long starts the count anew; a shorter one does not.
    """

    first: float = 1.0
    cap: float = 60.0
    stable_after: float = 30.0

    def __post_init__(self) -> None:
        _require_positive(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """Where the server is, what this component is called there, and what is accepted from it.

    Attributes:
        jid: The component's JID, a domain.
        secret: The shared secret of XEP-0114 section 3.
        host: The server's name or address; also the name that its certificate must carry.
        port: The server's component port.
        tls: A context that verifies certificate and name, or None for a link without TLS.
        allow_plaintext: Permits a link without TLS to a host other than this one.
        handshake_timeout: Seconds from the first packet to the answered handshake.
        stall_timeout: Seconds for which the server may read nothing while something waits for it.
        keepalive: Seconds of silence after which a space is sent.
        limits: What one stanza may be.
        queue: What may wait and run at once.
        reconnect: The pace of reconnecting.

    Raises:
        ConfigurationError: A value is out of range, or the link would carry the secret's proof and
            everybody's messages over a network in clear without ``allow_plaintext``.
    """

    jid: str
    secret: str = field(repr=False)
    host: str
    port: int = 5347
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    allow_plaintext: bool = False
    handshake_timeout: float = 15.0
    stall_timeout: float = 60.0
    keepalive: float = 60.0
    limits: StanzaLimits = field(default_factory=StanzaLimits)
    queue: QueueLimits = field(default_factory=QueueLimits)
    reconnect: ReconnectPace = field(default_factory=ReconnectPace)

    def __post_init__(self) -> None:
        _require_positive(self)
        if not is_domain(self.jid):
            raise ConfigurationError("jid must be a domain, as in vault.example.org, without '@' or '/'")
        if not self.secret:
            raise ConfigurationError("secret must not be empty")
        if not self.host:
            raise ConfigurationError("host must not be empty")
        if self.port > _HIGHEST_PORT:
            raise ConfigurationError(f"port must be at most {_HIGHEST_PORT}, and is {self.port}")
        if self.tls is None:
            if not (self.allow_plaintext or is_loopback_host(self.host)):
                raise ConfigurationError(
                    f"the link to {self.host} leaves this machine, which only 'localhost' and loopback "
                    "addresses do not: set tls, or allow_plaintext if the network between is trusted"
                )
        elif self.tls.verify_mode is not ssl.CERT_REQUIRED or not self.tls.check_hostname:
            raise ConfigurationError("tls must verify the server's certificate and its name")
