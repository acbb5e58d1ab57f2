"""The fixed parameters of simplified negotiation (XEP-0217 section 4.1)."""

from __future__ import annotations

from typing import Final

from esession.suite import NO_REKEYING

FIXED: Final = {
    "crypt_algs": "aes128-ctr",
    "hash_algs": "sha256",
    "compress": "none",
    "init_pubkey": "none",
    "resp_pubkey": "none",
    "rekey_freq": str(NO_REKEYING),
    "sas_algs": "sas28x5",
}
"""What a peer of the subset writes into these fields, hidden, and the only thing it accepts there."""
