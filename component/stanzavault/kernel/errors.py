"""Errors that a peer or an operator sees.

StanzaError                     answered to the peer as <error/> (RFC 6120, section 8.3)
 ├── BadRequest                 modify  the request is not of its schema
 ├── JidMalformed               modify  an address in it is not an address
 ├── Forbidden                  auth    the principal may not do this
 ├── NotAuthorized              auth    the principal needs something first, such as a presence subscription
 ├── NotAllowed                 cancel  nobody may do this
 ├── ItemNotFound               cancel  what it names is not there
 ├── Conflict                   cancel  it is there already
 ├── Gone                       cancel  it was there once
 ├── NotAcceptable              modify  it is understood and too large, too weak or otherwise refused
 ├── PolicyViolation            modify  it breaks a limit of this deployment
 ├── FeatureNotImplemented      cancel  the request is known and not served
 ├── ServiceUnavailable         cancel  nothing here serves it
 ├── UnexpectedRequest          wait    not at this moment
 ├── ResourceConstraint         wait    the vault is short of something; try again
 └── InternalServerError        cancel  a fault of ours, logged under an id
OperatorError                   printed to the operator: what is wrong, and what helps
NotOpened                       a sealed record does not open: never served, reported by id
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

ErrorType = Literal["auth", "cancel", "continue", "modify", "wait"]


class StanzaError(Exception):
    """A request that is refused, with the words that its sender gets.

    Args:
        text: one sentence that tells the sender what to do better.
        application: namespace and name of an application-specific condition, if the specification has one.
        attributes: of the application-specific condition, such as the feature that is not served.
    """

    condition: ClassVar[str] = "undefined-condition"
    type: ClassVar[ErrorType] = "cancel"

    def __init__(
        self,
        text: str,
        *,
        application: tuple[str, str] | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.application = application
        self.attributes = dict(attributes or {})


class BadRequest(StanzaError):
    """The request is not of its schema."""

    condition = "bad-request"
    type = "modify"


class JidMalformed(StanzaError):
    """An address in the request is not an address (RFC 7622)."""

    condition = "jid-malformed"
    type = "modify"


class Forbidden(StanzaError):
    """The principal may not do this."""

    condition = "forbidden"
    type = "auth"


class NotAuthorized(StanzaError):
    """The principal needs something first, such as a subscription to a presence."""

    condition = "not-authorized"
    type = "auth"


class NotAllowed(StanzaError):
    """Nobody may do this."""

    condition = "not-allowed"
    type = "cancel"


class ItemNotFound(StanzaError):
    """What the request names is not there."""

    condition = "item-not-found"
    type = "cancel"


class Conflict(StanzaError):
    """What the request would create is there already."""

    condition = "conflict"
    type = "cancel"


class Gone(StanzaError):
    """What the request names was there once."""

    condition = "gone"
    type = "cancel"


class NotAcceptable(StanzaError):
    """The request is understood and refused: too large, too weak, or against its own terms."""

    condition = "not-acceptable"
    type = "modify"


class PolicyViolation(StanzaError):
    """The request breaks a limit of this deployment."""

    condition = "policy-violation"
    type = "modify"


class FeatureNotImplemented(StanzaError):
    """The request is known and not served."""

    condition = "feature-not-implemented"
    type = "cancel"


class ServiceUnavailable(StanzaError):
    """Nothing here serves the request."""

    condition = "service-unavailable"
    type = "cancel"


class UnexpectedRequest(StanzaError):
    """The request does not fit this moment."""

    condition = "unexpected-request"
    type = "wait"


class ResourceConstraint(StanzaError):
    """The vault is short of something: the sender may try again."""

    condition = "resource-constraint"
    type = "wait"


class InternalServerError(StanzaError):
    """A fault of ours, logged under the id that the text names."""

    condition = "internal-server-error"
    type = "cancel"


class OperatorError(Exception):
    """Something that an operator has to mend.

    Args:
        message: what is wrong.
        help: what to do about it.
    """

    def __init__(self, message: str, help: str = "") -> None:  # noqa: A002 - it is the word an operator looks for
        super().__init__(message)
        self.message = message
        self.help = help


class NotOpened(Exception):
    """A sealed record does not open: it was changed, moved, or sealed under another key."""
