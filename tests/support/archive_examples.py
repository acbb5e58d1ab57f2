"""The examples of XEP-0136 and XEP-0241 as data, and the table that says what the vault makes of each.

`python -m support.archive_examples`, run in the folder tests, writes the tables in docs anew.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from stanzavault.archive.stanza.xep_0136_parts import NAMESPACES
from stanzavault.wire.xep_0059 import NAMESPACE as RSM

ROOT = Path(__file__).parents[2]
NUMBERS = ("0136", "0241")
_LEFT_OUT = "[…]"
_STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"


@dataclass(frozen=True, slots=True)
class Example:
    """One line of an index: an example, and what is expected of it (see tests/data/xep_0136/index.toml)."""

    xep: str
    number: int
    caption: str
    asks: str = ""
    tells: str = ""
    after: tuple[int, ...] = ()
    before: str = ""
    why: str = ""
    request: str = ""
    count: str = ""

    @property
    def id(self) -> str:
        """The name of its test."""
        state = f"after {', '.join(map(str, self.after))}" if self.after else self.before or "alone"
        return f"XEP-{self.xep}-{self.number:02d} {state}"

    def text(self, number: int | None = None) -> str:
        """The file of this example, or of another of its document."""
        return (ROOT / f"tests/data/xep_{self.xep}/{number or self.number:02d}.xml").read_text()

    def stanza(self, namespace: str, number: int | None = None) -> Element:
        """The example's first stanza, in one of the two namespaces."""
        return _read(self.text(number), namespace)

    def payload(self, namespace: str) -> Element:
        """What is asked."""
        if self.request:
            return _read(self.request, namespace)
        return self.stanza(namespace)[0]

    @property
    def type(self) -> str:
        """The type of the IQ that asks."""
        return "get" if self.request else self.stanza(NAMESPACES[0]).get("type", "")


def _read(text: str, namespace: str) -> Element:
    whole = text[: text.index("</iq>") + len("</iq>")] if "</iq>" in text else text
    for known in NAMESPACES:
        whole = whole.replace(f"'{known}'", f"'{namespace}'")
    return ET.fromstring(re.sub(r"\[[^\]]*\]", _LEFT_OUT, whole))


def examples(xep: str) -> list[Example]:
    """Every line of the index of a document."""
    lines = tomllib.loads((ROOT / f"tests/data/xep_{xep}/index.toml").read_text())["example"]
    return [Example(xep, **{**line, "after": tuple(line.get("after", ()))}) for line in lines]


def requests() -> list[Example]:
    """Every example that the vault is asked."""
    return [example for xep in NUMBERS for example in examples(xep) if example.asks]


def assert_like(expected: Element, actual: Element, count: str = "") -> None:
    """Compare an answer with an example: cursors are opaque, what the example leaves out may be anything."""
    assert (actual.tag, actual.attrib) == (expected.tag, expected.attrib)
    if expected.tag in (f"{{{RSM}}}first", f"{{{RSM}}}last"):
        assert actual.text
        return
    if expected.tag == f"{{{RSM}}}count" and count:
        assert actual.text == count
        return
    wanted, given = list(expected), list(actual)
    if expected.tag == f"{{{RSM}}}set" and expected.find(f"{{{RSM}}}first") is None:
        given = [child for child in given if child.tag != f"{{{RSM}}}first"]  # XEP-0136 leaves it out
    breaks = [place + 1 for place, child in enumerate(wanted) if _LEFT_OUT in (child.tail or "")]
    if not breaks:
        assert [child.tag for child in given] == [child.tag for child in wanted]
        assert (actual.text or "").strip() == (expected.text or "").strip()
    else:
        (place,) = breaks
        assert len(given) >= len(wanted)
        given = given[:place] + given[len(given) - (len(wanted) - place) :]
    for one, other in zip(wanted, given, strict=True):
        assert_like(one, other, count)


def condition(stanza: Element) -> str | None:
    """The condition of an example that is an error."""
    found = [child.tag for child in stanza.iter() if child.tag.startswith(_STANZAS)]
    return found[0].removeprefix(_STANZAS) if found else None


def table(xep: str) -> str:
    """docs/examples-NNNN.md."""
    lines = [
        f"# The examples of XEP-{xep}",
        "",
        f"Written by `tests/support/archive_examples.py` from `tests/data/xep_{xep}/index.toml`; a test sees",
        "to it that it is current. Each answer is shown in both namespaces, by the test of that name in",
        "`tests/unit/archive/test_examples.py`.",
        "",
        "| example | caption | what the vault makes of it | test |",
        "| --- | --- | --- | --- |",
    ]
    for example in examples(xep):
        made = f"{_said(example.asks)}{': ' + example.why if example.why else ''}" if example.asks else ""
        test = f"`{example.id}`" if example.asks else ""
        lines.append(f"| {example.number} | {example.caption} | {made or example.tells} | {test} |")
    return "\n".join(lines) + "\n"


def _said(asks: str) -> str:
    if re.fullmatch(r"[a-z]+(-[a-z]+)+", asks):
        return f"refused with `{asks}`"
    if asks == "nothing":
        return "the server closes the stream"
    if asks == "empty":
        return "answered with an empty result"
    return f"answered as {asks}" if asks.startswith("example") else f"answered with {asks}"


def main() -> None:
    """Write the tables anew."""
    for xep in NUMBERS:
        (ROOT / f"docs/examples-{xep}.md").write_text(table(xep))


if __name__ == "__main__":
    main()
