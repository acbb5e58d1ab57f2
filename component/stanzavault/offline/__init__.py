"""Messages for the absent: kept, delivered, fetched (XEP-0160, XEP-0013)."""
