"""Messages that wait for an absent account (XEP-0160, XEP-0013)."""
