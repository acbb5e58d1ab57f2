"""Result sets are read to their end, and no further (XEP-0059)."""

import pytest

from stanzavault.kernel.paging import Page, PageRequest
from stanzavault_client import AnswerMalformed
from stanzavault_client.paging import pages


async def read(answers: list[Page[int]]) -> tuple[list[int], list[str | None]]:
    asked: list[str | None] = []

    async def ask(wanted: PageRequest) -> Page[int]:
        asked.append(wanted.after)
        return answers[len(asked) - 1]

    found = [entry async for page in pages(ask, lambda page: page, 2) for entry in page.entries]
    return found, asked


async def test_pages_are_read_until_the_count_is_reached() -> None:
    found, asked = await read([Page([1, 2], "a", "b", 0, 3), Page([3], "c", "c", 2, 3)])
    assert (found, asked) == ([1, 2, 3], [None, "b"])


async def test_pages_without_a_count_are_read_until_one_is_empty() -> None:
    found, asked = await read([Page([1, 2], "a", "b"), Page([], None, None)])
    assert (found, asked) == ([1, 2], [None, "b"])


async def test_a_page_on_which_nothing_could_be_opened_is_not_the_last() -> None:
    found, _ = await read([Page([], "a", "b", 0, 3), Page([3], "c", "c", 2, 3)])
    assert found == [3]


async def test_pages_that_lead_in_a_circle_are_refused() -> None:
    same: Page[int] = Page([1], "a", "a", 0, 99)
    with pytest.raises(AnswerMalformed):
        await read([same, same, same])
