"""The library is pure: what it needs of the world comes in as arguments."""

import ast
from pathlib import Path

import pytest

import esession

PACKAGE = Path(esession.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
PURE = {
    *("__future__", "base64", "binascii", "collections", "dataclasses", "datetime", "enum", "functools"),
    *("hashlib", "hmac", "itertools", "json", "re", "types", "typing", "warnings", "xml"),
}
IMPURE_CALLS = {"open", "print", "input", "now", "utcnow", "today", "urandom", "token_bytes", "getrandbits"}


def imported(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_imports_what_reaches_the_world(source: Path) -> None:
    allowed = PURE | {"esession"} | ({"cryptography"} if source == PACKAGE / "crypto.py" else set())
    assert imported(ast.parse(source.read_text())) <= allowed


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_calls_a_clock_a_file_or_global_randomness(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            own_method = isinstance(owner, ast.Name) and owner.id in {"conversation", "channel", "Session"}
            own_method = own_method or isinstance(owner, ast.Attribute)
            assert name not in IMPURE_CALLS or own_method or (name == "open" and owner is not None), name


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_has_outgrown_its_story(source: Path) -> None:
    assert len(source.read_text().splitlines()) <= 400
