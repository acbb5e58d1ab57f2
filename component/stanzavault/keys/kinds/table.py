"""The nodes that an account may have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from stanzavault.kernel.errors import ItemNotFound, NotAllowed
from stanzavault.keys.kinds.attestations import ATTESTATIONS
from stanzavault.keys.kinds.kind import NodeKind
from stanzavault.keys.kinds.private import RECOVERY_KEY
from stanzavault.keys.kinds.public_keys import PUBLIC_KEYS
from stanzavault.keys.kinds.revocations import REVOCATIONS
from stanzavault.keys.model.node import HISTORY

STANDARD: Final = (PUBLIC_KEYS, REVOCATIONS, ATTESTATIONS, RECOVERY_KEY)


class KindTable:
    """Finds the kind of a node by its name.

    Args:
        kinds: all that are served.
    """

    def __init__(self, kinds: Iterable[NodeKind] = STANDARD) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def __iter__(self) -> Iterator[NodeKind]:
        return iter(self._kinds.values())

    def readable(self, name: str) -> tuple[NodeKind, bool]:
        """The kind of a node that is read, and whether its history is meant.

        Raises:
            ItemNotFound: no such node is served.
        """
        base = name.removesuffix(HISTORY)
        kind = self._kinds.get(base)
        if kind is None or (base != name and not kind.keeps_history):
            raise ItemNotFound("There is no such node.")
        return kind, base != name

    def writable(self, name: str) -> NodeKind:
        """The kind of a node that is changed.

        Raises:
            NotAllowed: no such node is served, or it is a history.
        """
        if name.endswith(HISTORY):
            raise NotAllowed("A node's history is read-only.")
        kind = self._kinds.get(name)
        if kind is None:
            raise NotAllowed(f"The nodes of an account are: {', '.join(self._kinds)}.")
        return kind
