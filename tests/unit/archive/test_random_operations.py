"""The archive against a model of it in plain Python, under random requests of both protocols."""

from __future__ import annotations

from itertools import count
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.archive_desk import ArchiveDesk
from support.archive_model import Model, Step, compare, steps
from support.archive_walks import walk_while_it_changes
from support.service import Inside

_ACCOUNTS = count()


@pytest.mark.asyncio(loop_scope="module")
@settings(suppress_health_check=list(HealthCheck))
@given(todo=st.lists(steps, min_size=1, max_size=15), most=st.integers(1, 7))
async def test_the_archive_does_what_a_plain_model_of_it_does(
    shared_service: Inside, todo: list[Step], most: int
) -> None:
    desk = ArchiveDesk(shared_service, client=f"model{next(_ACCOUNTS)}@montague.net/orchard")
    model = Model()
    for step in todo:
        await step.ask(desk, model)
    await compare(desk, model, most)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("kind", ["list", "retrieve", "modified", "keys"])
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
async def test_any_sequence_of_pages_gives_every_item_once_and_in_order_while_items_come_and_go(
    shared_service: Inside, random: Random, kind: str, backwards: bool
) -> None:
    desk = ArchiveDesk(shared_service, client=f"model{next(_ACCOUNTS)}@montague.net/orchard")
    await walk_while_it_changes(desk, kind, random, backwards=backwards)
