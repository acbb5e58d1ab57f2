"""XML to values and back, one file per protocol; nothing here decides anything."""
