"""Why a connection could not be made or did not last, in words that tell an operator what to do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ConfigurationError(ValueError):
    """A setting of the stream makes no sense or is not safe; the text names it and says what to change."""


class Disconnected(ConnectionError):
    """There is no established stream to the server, or it ended before the answer came."""


class FailureReason(StrEnum):
    """The label a failed or ended connection is counted and logged under."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    NOT_LOOPBACK = "not-loopback"
    HANDSHAKE_TIMEOUT = "handshake-timeout"
    CLOSED_EARLY = "closed-before-handshake"
    WRONG_SECRET = "wrong-secret"  # noqa: S105  (a label, not a secret)
    CONFLICT = "conflict"
    HOST_UNKNOWN = "host-unknown"
    STREAM_ERROR = "stream-error"
    MALFORMED = "malformed-stream"
    STALLED = "stalled"
    CLOSED = "closed"
    LOST = "lost"
    STOPPED = "stopped"


_TEXTS: Final = {
    FailureReason.REFUSED: "nothing listens there: is the server up, and is this its component port?",
    FailureReason.UNREACHABLE: "no connection could be made: check host, port and the network",
    FailureReason.TLS: "TLS failed: check that the port speaks TLS and that its certificate fits the host",
    FailureReason.NOT_LOOPBACK: "the host is not on this machine after all, and plaintext is not allowed",
    FailureReason.HANDSHAKE_TIMEOUT: "the server did not answer the handshake in time",
    FailureReason.CLOSED_EARLY: "the server hung up before the handshake: check jid, secret and port",
    FailureReason.WRONG_SECRET: "the server refused the secret: it must equal the server's component secret "
    "(ejabberd says the same of a jid that it does not know)",
    FailureReason.CONFLICT: "there is another connection of this component, and the server keeps only one",
    FailureReason.HOST_UNKNOWN: "the server does not know this component: add its jid to the configuration",
    FailureReason.STREAM_ERROR: "the server ended the stream with an error",
    FailureReason.MALFORMED: "the server sent what is not an acceptable component stream, and it was closed",
    FailureReason.STALLED: "the server stopped reading, and the stream was closed",
    FailureReason.CLOSED: "the server closed the stream",
    FailureReason.LOST: "the connection broke",
    FailureReason.STOPPED: "the stream was stopped",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One ended connection.

    Attributes:
        reason: What it is counted as.
        condition: The RFC 6120 section 4.9.3 stream error condition that was sent or received, if any; never
            a name that the peer made up.
    """

    reason: FailureReason
    condition: str | None = None

    @property
    def text(self) -> str:
        """A sentence for logs and for the health page; it never holds what the peer sent."""
        text = f"{self.reason}: {_TEXTS[self.reason]}"
        return f"{text} ({self.condition})" if self.condition else text


STREAM_CONDITIONS: Final = frozenset({
    "bad-format", "bad-namespace-prefix", "conflict", "connection-timeout", "host-gone", "host-unknown",
    "improper-addressing", "internal-server-error", "invalid-from", "invalid-namespace", "invalid-xml",
    "not-authorized", "not-well-formed", "policy-violation", "remote-connection-failed", "reset",
    "resource-constraint", "restricted-xml", "see-other-host", "system-shutdown", "undefined-condition",
    "unsupported-encoding", "unsupported-feature", "unsupported-stanza-type", "unsupported-version",
})  # fmt: skip
"""The conditions of RFC 6120 section 4.9.3."""


def failure_of_stream_error(condition: str, *, established: bool) -> Failure:
    """What a stream error that the server sent means.

    Args:
        condition: The local name of the element that the server sent; only names of RFC 6120 are kept.
        established: Whether the handshake had been answered: ``not-authorized`` means the secret only before.
    """
    if condition not in STREAM_CONDITIONS:
        return Failure(FailureReason.STREAM_ERROR, "undefined-condition")
    match condition:
        case "not-authorized" if not established:
            reason = FailureReason.WRONG_SECRET
        case "conflict":
            reason = FailureReason.CONFLICT
        case "host-unknown":
            reason = FailureReason.HOST_UNKNOWN
        case _:
            reason = FailureReason.STREAM_ERROR
    return Failure(reason, condition)
