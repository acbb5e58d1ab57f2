"""Everything that a collection may hold comes back as it was saved, in each combination (XEP-0136)."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from support.archive_stanzas import ARCHIVE, RSM, request
from support.resident import Resident, resident
from support.vaults import ServerVault

NAMED = {"with_": "balcony@house.capulet.com", "start": "1469-07-21T03:16:37Z"}
PARTS = """
<previous with='juliet@capulet.com/chamber' start='1469-07-21T02:56:15Z'/>
<next with='benvolio@montague.net' start='1469-07-22T08:00:00Z'/>
<x xmlns='jabber:x:data' type='submit'>
  <field var='FORM_TYPE'><value>http://example.com/archiving</value></field>
  <field var='task'><value>1</value><value>ščř &amp; 🌹</value></field>
</x>
<from secs='0' name='benvolio' jid='benvolio@montague.net'><body>She will invite him</body></from>
<to secs='6'><body>A bawd!</body><html xmlns='http://jabber.org/protocol/xhtml-im'><b>A bawd!</b></html></to>
<from utc='1469-07-21T03:20:00Z' name='nurse'><body xml:lang='it'>Signore</body><body>Sir</body></from>
<note utc='1469-07-21T03:04:35Z'>I think she might fancy me.</note>
"""


def upload(parts: str, **attributes: str) -> str:
    chat = request("chat", parts, **NAMED, **attributes)
    return f"<save xmlns='{ARCHIVE}'>{chat}</save>"


def written(tree: ET.Element) -> list[str]:
    """The parts of a collection, each in one form of writing."""
    for element in tree.iter():
        element.tail = None
        element.text = element.text if (element.text or "").strip() else None
    return [ET.canonicalize(ET.tostring(part, "unicode")) for part in tree if part.tag != f"{{{RSM}}}set"]


async def retrieved(who: Resident) -> ET.Element:
    return (await who.get(request("retrieve", **NAMED)))[0]


async def test_links_a_form_messages_of_a_room_and_notes_come_back_as_they_were_saved(
    vault: ServerVault,
) -> None:
    async with resident(vault, "romeo") as romeo:
        await romeo.set(upload(PARTS, subject="She speaks!", thread="damduoeg08"))
        chat = await retrieved(romeo)
        assert (chat.get("subject"), chat.get("thread"), chat.get("version")) == (
            "She speaks!", "damduoeg08", "0",
        )  # fmt: skip
        saved = ET.fromstring(f"<chat xmlns='{ARCHIVE}'>{PARTS}</chat>")
        assert written(chat) == written(saved)


async def test_a_subject_links_and_a_form_are_changed_and_taken_away_alone(vault: ServerVault) -> None:
    async with resident(vault, "romeo") as romeo:
        await romeo.set(upload(PARTS, subject="She speaks!"))
        whole = written(await retrieved(romeo))
        await romeo.set(upload("<previous/><next/>", subject="She speaks twice!"))
        chat = await retrieved(romeo)
        assert (chat.get("subject"), chat.get("version")) == ("She speaks twice!", "1")
        assert written(chat) == whole[2:]
        await romeo.set(upload("<x xmlns='jabber:x:data' type='submit'/>"))
        chat = await retrieved(romeo)
        assert (chat.get("subject"), chat.get("version")) == ("She speaks twice!", "2")
        assert written(chat) == whole[3:]
        await romeo.set(upload("<note utc='1469-07-21T04:00:00Z'>Another</note>"))
        assert len(written(await retrieved(romeo))) == len(whole) - 3 + 1
