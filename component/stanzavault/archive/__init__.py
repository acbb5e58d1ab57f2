"""Conversations that an account keeps (XEP-0136, XEP-0241)."""
