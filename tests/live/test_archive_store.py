"""The archive's store, the same on SQLite and PostgreSQL: against the plain model, and while it changes."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.archive_desk import HOSTS, ArchiveDesk
from support.archive_model import Model, Step, compare, steps
from support.archive_stanzas import RSM, page, request, save
from support.archive_walks import walk_while_it_changes
from support.service import inside

START = "1469-07-21T02:56:15Z"


def scripts(number: int) -> list[list[Step]]:
    """Some random scripts of requests, the same in every run."""
    found: list[list[Step]] = []

    @settings(
        max_examples=number, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(steps, min_size=8, max_size=20))
    def draw(script: list[Step]) -> None:
        found.append(script)

    draw()
    return found


async def play(url: str, number: int) -> None:
    chance = random.Random(number)
    async with inside(url, hosts=HOSTS) as service:
        for count, script in enumerate(scripts(number)):
            desk = ArchiveDesk(service, client=f"romeo{count}@montague.net/orchard")
            model = Model()
            for step in script:
                await step.ask(desk, model)
            await compare(desk, model, chance.randint(1, 7))


async def test_the_archive_does_what_a_plain_model_of_it_does(database_url: str) -> None:
    await play(database_url, 12)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_the_archive_does_what_a_plain_model_of_it_does_many_times(database_url: str) -> None:
    await play(database_url, 400)


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("kind", ["list", "retrieve", "modified", "keys"])
async def test_any_sequence_of_pages_gives_every_item_once_and_in_order_while_items_come_and_go(
    database_url: str, kind: str, backwards: bool
) -> None:
    async with inside(database_url, hosts=HOSTS) as service:
        for seed in range(2):
            desk = ArchiveDesk(service, client=f"romeo{seed}@montague.net/orchard")
            await walk_while_it_changes(desk, kind, random.Random(seed), backwards=backwards)


async def test_uploads_at_once_are_all_kept_once_and_in_one_order(database_url: str) -> None:
    async with inside(database_url, hosts=HOSTS) as service:
        desk = ArchiveDesk(service)
        clients = [f"{name}@montague.net/{resource}" for name in ("romeo", "benvolio") for resource in "abc"]
        await asyncio.gather(
            *(
                desk.set(
                    save("juliet@capulet.com", START, f"<to><body>{sender} {number}</body></to>"),
                    sender=sender,
                )
                for number in range(10)
                for sender in clients
            )
        )
        for owner in ("romeo", "benvolio"):
            asked = request("retrieve", page(100), with_="juliet@capulet.com", start=START)
            answer = await desk.get(asked, sender=f"{owner}@montague.net/z")
            texts = [child[0].text or "" for child in answer[:-1]]
            assert answer.get("version") == "29"
            assert answer.findtext(f"{{{RSM}}}set/{{{RSM}}}count") == "30"
            for sender in clients[:3] if owner == "romeo" else clients[3:]:
                assert [text for text in texts if text.startswith(sender)] == [
                    f"{sender} {number}" for number in range(10)
                ]
