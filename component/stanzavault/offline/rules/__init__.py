"""Decisions on messages for the absent: which are kept, and which session gets them."""
