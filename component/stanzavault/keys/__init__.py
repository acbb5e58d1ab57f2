"""Public keys, revocations and attestations that an account publishes (XEP-0189)."""
