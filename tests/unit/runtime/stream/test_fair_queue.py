"""The queue alone: in turn between keys, in order within one, bounded in number and bytes."""

from hypothesis import given
from hypothesis import strategies as st

from stanzavault.runtime.stream import QueueLimits
from stanzavault.runtime.stream.fair_queue import FairQueue


def take_all(queue: FairQueue[str]) -> list[str]:
    taken = []
    while (each := queue.take()) is not None:
        taken.append(each[1])
        queue.release(each[0])
    return taken


def test_keys_take_turns_however_much_one_of_them_has_waiting() -> None:
    queue: FairQueue[str] = FairQueue(QueueLimits())
    for number in range(5):
        queue.put("flood", f"f{number}", 1)
    queue.put("romeo", "r0", 1)
    queue.put("juliet", "j0", 1)
    queue.put("romeo", "r1", 1)
    assert take_all(queue) == ["f0", "r0", "j0", "f1", "r1", "f2", "f3", "f4"]


def test_a_key_runs_no_more_at_once_than_it_may() -> None:
    queue: FairQueue[str] = FairQueue(QueueLimits(concurrency_per_key=2))
    for number in range(3):
        queue.put("a", f"a{number}", 1)
    assert [queue.take(), queue.take(), queue.take()] == [("a", "a0"), ("a", "a1"), None]
    queue.release("a")
    assert queue.take() == ("a", "a2")


def test_a_key_is_refused_what_exceeds_its_number_or_bytes_and_others_are_not() -> None:
    queue: FairQueue[str] = FairQueue(QueueLimits(per_key=2, per_key_bytes=100))
    assert [queue.put("a", "x", 1) for _ in range(3)] == [True, True, False]
    assert [queue.put("b", "x", 60) for _ in range(2)] == [True, False]
    assert queue.put("c", "a single one, however large", 1000)


def test_it_is_full_by_number_or_by_bytes() -> None:
    by_number: FairQueue[str] = FairQueue(QueueLimits(total=2))
    by_bytes: FairQueue[str] = FairQueue(QueueLimits(total_bytes=100))
    by_number.put("a", "x", 1)
    by_bytes.put("a", "x", 99)
    assert not by_number.is_full
    assert not by_bytes.is_full
    by_number.put("b", "x", 1)
    by_bytes.put("b", "x", 1)
    assert by_number.is_full
    assert by_bytes.is_full


def test_draining_returns_what_waited_and_leaves_nothing() -> None:
    queue: FairQueue[str] = FairQueue(QueueLimits())
    queue.put("a", "a0", 1)
    queue.put("a", "a1", 1)
    queue.put("b", "b0", 1)
    queue.take()
    assert sorted(queue.drain()) == ["a1", "b0"]
    queue.release("a")
    assert queue.take() is None
    assert not queue._lanes


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["put", "take", "release"]))))
def test_in_order_within_a_key_nothing_lost_nothing_twice_nothing_kept(steps: list[tuple[str, str]]) -> None:
    queue: FairQueue[int] = FairQueue(QueueLimits(concurrency_per_key=2))
    put: dict[str, list[int]] = {key: [] for key in "abcd"}
    taken: dict[str, list[int]] = {key: [] for key in "abcd"}
    running: list[str] = []
    for number, (key, step) in enumerate(steps):
        if step == "put" and queue.put(key, number, 1):
            put[key].append(number)
        elif step == "take" and (each := queue.take()) is not None:
            taken[str(each[0])].append(each[1])
            running.append(str(each[0]))
        elif step == "release" and key in running:
            running.remove(key)
            queue.release(key)
        assert all(running.count(each) <= 2 for each in "abcd")
    for key in running:
        queue.release(key)
    while (each := queue.take()) is not None:
        taken[str(each[0])].append(each[1])
        queue.release(each[0])
    assert taken == put
    assert not queue._lanes
    assert len(queue) == 0
