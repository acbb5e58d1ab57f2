"""Every statement on the archive is served by an index: no table is scanned, sorted or offset into."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.sql.selectable import GenerativeSelect

from support.archive_desk import HOSTS, ArchiveDesk
from support.archive_stanzas import RSM, data, key, key_name, page, request, save
from support.service import inside

TABLES = ("archive", "collection", "message", "collection_key", "collection_form", "usage")
NAMED = {"with_": "friar@capulet.com", "start": "1469-07-21T00:00:00Z"}
FORM = "<x xmlns='jabber:x:data' type='submit'><field var='task'><value>1</value></field></x>"


async def test_no_statement_scans_sorts_or_skips_rows_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(GenerativeSelect, "offset")
    said: list[tuple[str, Any]] = []

    def hear(
        _connection: object, _cursor: object, statement: str, values: Any, _context: object, many: bool
    ) -> None:
        if any(f" {table}" in statement for table in TABLES):
            said.append((statement, values[0] if many else values))

    async with inside(tmp_path, hosts=HOSTS) as service:
        desk = ArchiveDesk(service)
        for engine in (service.database._reading, service.database._writing):
            event.listen(engine.sync_engine, "before_cursor_execute", hear)
        for day in range(1, 8):
            for peer in ("friar@capulet.com", "nurse@capulet.com/kitchen"):
                content = data("one"), data("two"), key("one", "first"), key("two", "first"), FORM
                await desk.set(save(peer, f"1469-07-{day + 14:02d}T00:00:00Z", *content))
        for asked in await pages(desk):
            await desk.get(request("list", asked))
            for peer, exact in (("capulet.com", "0"), ("nurse@capulet.com", "0"), ("friar@capulet.com", "1")):
                where = {"with_": peer, "exactmatch": exact, "start": "1469-07-16T00:00:00Z"}
                await desk.get(request("list", asked, **where, end="1469-07-30T00:00:00Z"))
        for asked in (page(1), page(1, index=1), page(1, before="")):
            await desk.get(request("retrieve", key_name("first") + asked, **NAMED))
            await desk.get(request("modified", asked, start="1970-01-01T00:00:00Z"))
            await desk.get(request("keys", key_name("first") + asked))
        await desk.set(request("delete", key_name("first"), **NAMED))
        await desk.set(request("remove", **NAMED))
        await desk.set(request("remove", with_="capulet.com"))
        connection = sqlite3.connect(service.url.database or "")
        for statement, values in said:
            if not statement.upper().startswith("INSERT"):
                plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
                scans = tuple(f"SCAN {table}" for table in TABLES)
                assert not [step for step in plan if step.startswith(scans)], (statement, plan)
                if "running" not in statement and "IN (" not in statement:
                    assert not [step for step in plan if "TEMP B-TREE" in step], (statement, plan)
        connection.close()
    assert len({statement for statement, _ in said}) > 20


async def pages(desk: ArchiveDesk) -> list[str]:
    """The first, the last, a counted page, and those after and before one."""
    told = (await desk.get(request("list", page(3)))).find(f"{{{RSM}}}set")
    assert told is not None
    last = told.findtext(f"{{{RSM}}}last", "")
    return [page(3), page(3, before=""), page(3, index=2), page(3, after=last), page(3, before=last), page(0)]
