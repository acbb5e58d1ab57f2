"""Negotiating an encrypted session (XEP-0116): decisions and values, without stanzas, states or time."""
