"""What nodes may hold, and what is verified before an item is stored: one file per kind of node."""
