"""Archived conversations as collections, plain or encrypted by their owner (XEP-0136, XEP-0241)."""
