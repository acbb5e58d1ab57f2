"""Conditions of XEP-0060's own in errors (section 14)."""

from __future__ import annotations

from stanzavault.kernel.errors import FeatureNotImplemented

ERRORS = "http://jabber.org/protocol/pubsub#errors"


def condition(name: str) -> tuple[str, str]:
    """The application-specific condition of that name."""
    return ERRORS, name


def unsupported(feature: str, text: str) -> FeatureNotImplemented:
    """The refusal of a feature, named as section 10 names it."""
    return FeatureNotImplemented(text, application=condition("unsupported"), attributes={"feature": feature})
