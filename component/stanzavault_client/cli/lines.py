"""What is typed, line by line, beside an event loop."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from typing import TextIO


async def typed_lines(source: TextIO | None = None) -> AsyncIterator[str]:
    """Lines as they are typed, without their ends, until there is no more.

    A thread reads them, since an event loop can't wait for every kind of standard input; it ends with the
    program, which needn't wait for another line.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def tell(line: str | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(lines.put_nowait, line)

    def read() -> None:
        for line in source or sys.stdin:
            tell(line.rstrip("\r\n"))
        tell(None)

    threading.Thread(target=read, daemon=True, name="typed lines").start()
    while (line := await lines.get()) is not None:
        yield line
