"""Fenced code blocks of a Markdown page, and running those that are marked."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")

MARK = "run"
"""The word after the language that marks a block: ```console run"""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        language: the first word behind the fence, empty where there is none.
        words: the words that follow it.
        text: what the block holds, each line ended.
        line: the number of the fence's line, from 1.
    """

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def script(self) -> str:
        """The shell script in the block: of a `console` block, what follows each `$`, continued lines too."""
        if self.language != "console":
            return self.text
        lines: list[str] = []
        continued = False
        for line in self.text.splitlines():
            prompt = line.startswith("$ ")
            if prompt or continued:
                lines.append(line.removeprefix("$ ") if prompt else line.removeprefix("> "))
                continued = line.endswith("\\")
        return "\n".join(lines) + "\n"


def blocks(page: Path, *languages: str, marked: bool = True) -> list[Block]:
    """Return the blocks of a page in these languages (all if none is given), by default the marked ones only.

    Raises:
        ValueError: a block is never closed.
    """
    found: list[Block] = []
    lines = enumerate(page.read_text("utf-8").splitlines(), start=1)
    for number, line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            continue
        language, *words = fence["info"].split() or [""]
        text: list[str] = []
        for _, inner in lines:
            if inner.strip().startswith(fence["fence"]) and not inner.strip(f"{fence['fence'][0]} "):
                break
            text.append(inner.removeprefix(fence["indent"]) + "\n")
        else:
            raise ValueError(f"{page.name}:{number}: the block is never closed")
        found.append(Block(language, tuple(words), "".join(text), number))
    return [
        block
        for block in found
        if (not languages or block.language in languages) and (MARK in block.words or not marked)
    ]


def run_block(
    block: Block, *, folder: Path, environment: Mapping[str, str] | None = None, within: float = 120.0
) -> str:
    """Run a `sh` or `console` block with bash in `folder`, ended by its first failure; returns its output.

    Raises:
        RuntimeError: it failed; the text names the line of the page and holds the output.
        subprocess.TimeoutExpired: it did not end `within` seconds.
    """
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", block.script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        timeout=within,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the block of line {block.line} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout
