"""XML of the slice to values and back: keys (XEP-0189), publishing and subscribing (XEP-0060)."""
