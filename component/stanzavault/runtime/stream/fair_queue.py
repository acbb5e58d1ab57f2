"""What waits to be handled: bounded, and taken in turn by key, so that no account keeps others waiting."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .settings import QueueLimits

Item = TypeVar("Item")


@dataclass(slots=True)
class _Lane(Generic[Item]):
    """What one key has waiting and running; it stands in the ring of the ready at most once."""

    key: Hashable
    waiting: deque[tuple[Item, int]] = field(default_factory=deque)
    bytes_waiting: int = 0
    running: int = 0
    is_ready: bool = False


class FairQueue(Generic[Item]):
    """First in, first out within a key; round robin between keys."""

    def __init__(self, limits: QueueLimits) -> None:
        self._limits = limits
        self._lanes: dict[Hashable, _Lane[Item]] = {}
        self._ready: deque[_Lane[Item]] = deque()
        self._waiting = 0
        self._bytes_waiting = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def is_full(self) -> bool:
        """Whether no more should be read from the server for now."""
        return self._waiting >= self._limits.total or self._bytes_waiting >= self._limits.total_bytes

    @property
    def has_ready(self) -> bool:
        """Whether ``take`` would find something."""
        return bool(self._ready)

    def put(self, key: Hashable, item: Item, size: int) -> bool:
        """Lets an item of that many bytes wait; False if its key has too much waiting already."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key)
        elif lane.waiting and (
            len(lane.waiting) >= self._limits.per_key
            or lane.bytes_waiting + size > self._limits.per_key_bytes
        ):
            return False
        lane.waiting.append((item, size))
        lane.bytes_waiting += size
        self._waiting += 1
        self._bytes_waiting += size
        self._make_ready(lane)
        return True

    def take(self) -> tuple[Hashable, Item] | None:
        """The next key in turn and its oldest item, which runs until ``release``; None if none may run."""
        if not self._ready:
            return None
        lane = self._ready.popleft()
        lane.is_ready = False
        item, size = lane.waiting.popleft()
        lane.bytes_waiting -= size
        self._waiting -= 1
        self._bytes_waiting -= size
        lane.running += 1
        self._make_ready(lane)
        return lane.key, item

    def release(self, key: Hashable) -> None:
        """An item of this key has been handled."""
        lane = self._lanes[key]
        lane.running -= 1
        if lane.waiting:
            self._make_ready(lane)
        elif not lane.running:
            del self._lanes[key]

    def drain(self) -> list[Item]:
        """Everything that still waits, taken out."""
        items = []
        for lane in list(self._lanes.values()):
            items += [item for item, _ in lane.waiting]
            lane.waiting.clear()
            lane.bytes_waiting = 0
            lane.is_ready = False
            if not lane.running:
                del self._lanes[lane.key]
        self._ready.clear()
        self._waiting = self._bytes_waiting = 0
        return items

    def _make_ready(self, lane: _Lane[Item]) -> None:
        if lane.waiting and not lane.is_ready and lane.running < self._limits.concurrency_per_key:
            lane.is_ready = True
            self._ready.append(lane)
