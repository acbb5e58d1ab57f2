"""Whoever opens a folder of documentation finds every page of it listed, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def links(page: Path) -> set[Path]:
    """The files that a page links to."""
    found = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
    return {(page.parent / link).resolve() for link in found if "://" not in link}


def test_every_page_is_listed() -> None:
    listed = links(DOCS / "README.md") | links(DOCS / "decisions" / "README.md")
    assert [page.relative_to(DOCS) for page in PAGES if page not in listed | {DOCS / "README.md"}] == []


def test_the_documentation_is_found_from_the_first_page() -> None:
    assert DOCS / "README.md" in links(ROOT / "README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not link.exists()] == []
