"""Records of the slice: keys and what is said of them, nodes, requests and events."""
