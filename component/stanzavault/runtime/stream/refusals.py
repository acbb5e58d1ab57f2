"""Every way in which the stream itself refuses a stanza, and the stanza error that tells its sender.

Stanza errors: RFC 6120 section 8.3. Answered are IQs other than results and errors, and messages other than
errors; presence is never answered, so that two services can't answer each other for ever.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from .writer import escape_attribute, escape_text

STANZA_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"


class Refusal(Enum):
    """Label, stanza error condition, error type and text; no condition: ignored, since nobody can be told."""

    TOO_LARGE = (
        "too-large",
        "not-acceptable",
        "modify",
        "The stanza has more bytes than this service accepts.",
    )
    TOO_DEEP = (
        "too-deep",
        "not-acceptable",
        "modify",
        "The stanza is nested deeper than this service accepts.",
    )
    TOO_MANY_PARTS = (
        "too-many-parts",
        "not-acceptable",
        "modify",
        "The stanza has more elements and attributes than this service accepts.",
    )
    MALFORMED_IQ = (
        "malformed-iq",
        "bad-request",
        "modify",
        "An IQ is of type get or set, and has an id and exactly one child.",
    )
    KEY_FULL = (
        "key-full",
        "resource-constraint",
        "wait",
        "Too many of your requests are waiting. Try again later.",
    )
    QUEUE_FULL = ("queue-full", "resource-constraint", "wait", "The service is busy. Try again later.")
    STOPPING = ("stopping", "recipient-unavailable", "wait", "The service is stopping. Try again later.")
    FAILED = ("failed", "internal-server-error", "cancel", "The request failed.")
    INVALID_FROM = ("invalid-from", "", "", "")
    FOREIGN_TO = ("foreign-to", "", "", "")
    BEFORE_HANDSHAKE = ("before-handshake", "", "", "")
    FOREIGN_NAMESPACE = ("foreign-namespace", "", "", "")
    UNKNOWN_STANZA = ("unknown-stanza", "", "", "")
    AFTER_CLOSE = ("after-close", "", "", "")
    UNEXPECTED_RESPONSE = ("unexpected-response", "", "", "")

    def __init__(self, label: str, condition: str, error_type: str, text: str) -> None:
        self.label = label
        self.condition = condition
        self.error_type = error_type
        self.text = text


def is_answerable(kind: str, attributes: Mapping[str, str]) -> bool:
    """Whether a refused stanza of that kind may be answered with a stanza error."""
    stanza_type = attributes.get("type")
    if kind == "iq":
        return stanza_type not in {"result", "error"}
    return kind == "message" and stanza_type != "error"


def error_reply(
    kind: str, attributes: Mapping[str, str], refusal: Refusal, *, text: str | None = None
) -> str:
    """The stanza error for a refused stanza, ready to send.

    Args:
        kind: ``iq`` or ``message``.
        attributes: The refused stanza's own; its addresses are known to be valid.
        refusal: One that has a condition.
        text: Instead of the refusal's own text.
    """
    head = "".join(
        f' {name}="{escape_attribute(value)}"'
        for name, value in (
            ("id", attributes.get("id")),
            ("from", attributes.get("to")),
            ("to", attributes.get("from")),
        )
        if value is not None
    )
    return (
        f'<{kind} type="error"{head}><error type="{refusal.error_type}">'
        f'<{refusal.condition} xmlns="{STANZA_ERRORS}"/>'
        f'<text xmlns="{STANZA_ERRORS}">{escape_text(text or refusal.text)}</text></error></{kind}>'
    )
