"""Result sets read page by page (XEP-0059)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from stanzavault.kernel.paging import Page, PageRequest
from stanzavault_client.errors import AnswerMalformed

Answer = TypeVar("Answer")


async def pages(
    ask: Callable[[PageRequest], Awaitable[Answer]], page_of: Callable[[Answer], Page[Any]], most: int
) -> AsyncIterator[Answer]:
    """Every page of a result set, in order.

    Args:
        ask: asks for one.
        page_of: what an answer tells of its page.
        most: entries of a page.

    Raises:
        AnswerMalformed: the pages lead in a circle.
    """
    cursor: str | None = None
    while True:
        answer = await ask(PageRequest(most, after=cursor))
        yield answer
        page = page_of(answer)
        if page.last is None or _is_last(page):
            return
        if page.last == cursor:
            raise AnswerMalformed("The vault's pages have no end.")
        cursor = page.last


def _is_last(page: Page[Any]) -> bool:
    return None not in (page.index, page.count) and (page.index or 0) + len(page.entries) >= (page.count or 0)
