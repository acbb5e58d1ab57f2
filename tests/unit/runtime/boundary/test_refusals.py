"""Bad input gets a precise error and serves nobody: the cases are tests/data/boundary/refused.xml."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

from support.desk import Desk, condition, error_text, inside

_FILE = Path(__file__).parents[3] / "data" / "boundary" / "refused.xml"
_CASES = {case.get("name", ""): case for case in ET.parse(_FILE).getroot()}


@pytest.mark.parametrize("case", _CASES.values(), ids=list(_CASES))
async def test_a_stanza_is_refused_with_the_right_condition_and_nothing_is_served(
    case: Element, desk: Desk
) -> None:
    stanza = case[0]

    answer = await desk.hand(stanza)

    assert desk.asked == []
    if case.get("answered") == "nobody":
        assert answer is None
        return
    assert answer is not None
    assert answer.tag == stanza.tag
    assert answer.get("id") == stanza.get("id")
    assert answer.get("to") == stanza.get("from")
    assert answer.get("from") == stanza.get("to", "vault.example.org")
    if case.get("answered") == "inside":
        assert answer[0].tag == stanza[0].tag
        asked = stanza[0][0][0]
        answer = inside(answer)
        assert answer.tag == asked.tag
        assert answer.get("id") == asked.get("id")
        assert answer.get("to") == asked.get("from")
        assert answer.get("from") == asked.get("to", asked.get("from", "").partition("/")[0])
    assert condition(answer) == case.get("condition")
    assert error_text(answer)


@pytest.mark.parametrize("case", _CASES.values(), ids=list(_CASES))
async def test_a_refused_stanza_changes_no_privilege(case: Element, desk: Desk) -> None:
    await desk.hand(case[0])
    assert desk.privileges.of("example.org") is None
    assert desk.privileges.of("example.net") is None
