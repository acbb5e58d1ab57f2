"""Runs `stanzavault` and ends its process with SIGKILL at one exact point.

    python killed_at.py before|after MODULE:ATTRIBUTE NUMBER TRIGGER WORDS...

The process ends before or after the NUMBER-th call of a function that is made once the file TRIGGER is
there. WORDS are the command's own.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stanzavault.cli import main


def kill_at(when: str, target: str, number: int, trigger: Path) -> None:
    """Put a wrapper around a function, which ends this process at its call."""
    module, _, path = target.partition(":")
    *holders, name = path.split(".")
    holder = functools.reduce(getattr, holders, importlib.import_module(module))
    original: Callable[..., Any] = getattr(holder, name)
    left = number

    def is_point() -> bool:
        nonlocal left
        left -= trigger.exists()
        return left == 0

    def end() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(original)
    async def awaited(*args: Any, **named: Any) -> Any:
        here = is_point()
        if here and when == "before":
            end()
        result = await original(*args, **named)
        if here:
            end()
        return result

    @functools.wraps(original)
    def called(*args: Any, **named: Any) -> Any:
        here = is_point()
        if here and when == "before":
            end()
        result = original(*args, **named)
        if here:
            end()
        return result

    setattr(holder, name, awaited if inspect.iscoroutinefunction(original) else called)


if __name__ == "__main__":
    when, target, number, trigger, *words = sys.argv[1:]
    kill_at(when, target, int(number), Path(trigger))
    sys.argv = ["stanzavault", *words]
    main()
