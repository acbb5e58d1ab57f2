"""XML that several slices share: strict reading, dates (XEP-0082), result sets (0059), forms (0004)."""
