"""Free ports of 127.0.0.1 for servers that the tests start."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the range from which the kernel serves outgoing connections, so that nobody takes one in between.
_RANGE = range(20_000, 32_000)
_handed_out: set[int] = set()


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens and that was not handed out before."""
    for port in random.sample(_RANGE, k=200):
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise RuntimeError(f"no free port of {LOOPBACK} in {_RANGE}")
