"""What `make demo` runs: the main job beside a private Prosody, with real clients."""
