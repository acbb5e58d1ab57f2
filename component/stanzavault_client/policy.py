"""What a client insists on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """What a client insists on, whatever the vault lets pass.

    Attributes:
        least_bits: of the modulus of a key that is used.
        new_bits: of the modulus of a key that is made.
        valid_for: how long a new key is valid.
        answer_within: seconds after which a request counts as unanswered.
        upload_bytes: of one upload to the archive; the server has to take that much from a client.
        sealed_bytes: of what is sealed as one piece: less opens quicker, more tells less.
        entries: of a page of results.
    """

    least_bits: int = 2048
    new_bits: int = 3072
    valid_for: timedelta = timedelta(days=730)
    answer_within: float = 40.0
    upload_bytes: int = 48 * 1024
    sealed_bytes: int = 16 * 1024
    entries: int = 50
