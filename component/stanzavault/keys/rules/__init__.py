"""Decisions of the slice, pure."""
