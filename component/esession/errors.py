"""What can go wrong in an encrypted session.

    ESessionError
    ├── MisuseError            the caller asked for what the state or the policy forbids
    ├── MalformedError         a stanza or a value that no honest peer sends
    ├── RefusedError           the negotiation fails, with the stanza error and the fields to report
    ├── DamagedError           a stanza whose authentication failed: forged, damaged or out of order
    └── OptionsError           published offline options that must not be used

No message of these errors ever holds a key, a plaintext or a decrypted value.
"""

from __future__ import annotations

from typing import Final

FEATURE_NOT_IMPLEMENTED: Final = "feature-not-implemented"
NOT_ACCEPTABLE: Final = "not-acceptable"
SERVICE_UNAVAILABLE: Final = "service-unavailable"


class ESessionError(Exception):
    """Any error of this library."""


class MisuseError(ESessionError):
    """The caller asked for what the session's state or its policy forbids."""


class MalformedError(ESessionError):
    """A stanza, form or value is not of the form that its specification gives."""


class RefusedError(ESessionError):
    """A negotiation fails (XEP-0116 section 4.4, XEP-0155 section 4.3).

    Attributes:
        condition: The defined condition of the stanza error to report.
        fields: The form fields that the error names.
    """

    def __init__(self, condition: str, fields: tuple[str, ...], text: str) -> None:
        super().__init__(text)
        self.condition = condition
        self.fields = fields


class DamagedError(ESessionError):
    """A stanza's authentication failed, or what it holds can't be read (XEP-0200 section 7)."""


class OptionsError(ESessionError):
    """Published offline options must not be used: expired, unverified or unsupported (XEP-0187)."""
