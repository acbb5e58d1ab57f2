"""Which of several keys is answered to who asks for one (docs/decisions/keys-direct-request.md)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from stanzavault.keys.model.node import CURRENT, Record
from stanzavault.keys.model.public_key import PublicKey


def choose_key(shown: Sequence[tuple[Record, PublicKey]], now: datetime) -> PublicKey | None:
    """The key of the item `current`, or else the one published last; of those that are valid now.

    Args:
        shown: the keys that readers are shown, in the order of publication.
        now: the present.
    """
    valid = [(record.item_id == CURRENT, key) for record, key in shown if key.is_valid_at(now)]
    chosen = [key for is_current, key in valid if is_current] or [key for _, key in valid]
    return chosen[-1] if chosen else None
