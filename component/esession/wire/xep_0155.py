"""Stanza session negotiation (XEP-0155) over feature negotiation (XEP-0020): messages, forms and errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from xml.etree import ElementTree as ET

from esession.errors import MalformedError
from esession.suite import Profile
from esession.wire import xml
from esession.wire.xep_0004 import Field, Form
from esession.wire.xep_0200 import STANZA_ERRORS, C

FEATURE_NEGOTIATION: Final = "http://jabber.org/protocol/feature-neg"
SSN: Final = "urn:xmpp:ssn"
ESESSION: Final = "http://www.xmpp.org/extensions/xep-0116.html#ns"
ESESSION_INIT: Final = "http://www.xmpp.org/extensions/xep-0116.html#ns-init"
AMP: Final = "http://jabber.org/protocol/amp"
FEATURE: Final = f"{{{FEATURE_NEGOTIATION}}}feature"
INIT: Final = f"{{{ESESSION_INIT}}}init"
FEATURES: Final = (FEATURE_NEGOTIATION, SSN, ESESSION)
"""What a client announces by service discovery; with profile gajim also ROSTER_EXCHANGE."""
ROSTER_EXCHANGE: Final = "http://jabber.org/protocol/rosterx"
"""Without this feature, Gajim falls back to a normalization with namespace declarations in it."""

MAY: Final = "may"
MUSTNOT: Final = "mustnot"
LoggingWords = Literal["logging", "logging-boolean", "otr"]
_LOGGING: Final[Mapping[LoggingWords, tuple[str, Mapping[str, str]]]] = {
    "logging": ("logging", {MAY: MAY, MUSTNOT: MUSTNOT}),
    "logging-boolean": ("logging", {MAY: "true", MUSTNOT: "false"}),
    "otr": ("otr", {MAY: "false", MUSTNOT: "true"}),
}


@dataclass(frozen=True, slots=True)
class NegotiationMessage:
    """A message that carries a negotiation form.

    Attributes:
        sender: Its `from`, as the server vouches for it.
        recipient: Its `to`.
        thread: Its thread; empty where it has none.
        parent: The thread that this one branched off (XEP-0201), if it says so.
        form: The form.
        init: Whether the form comes in `<init/>` instead of `<feature/>`.
        content: The encrypted content that comes along.
        element: The whole stanza.
    """

    sender: str
    recipient: str
    thread: str
    form: Form
    init: bool
    content: ET.Element | None
    element: ET.Element
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class LoggingOffer:
    """The options of a request about keeping messages, in whichever of the documents' words they came."""

    words: LoggingWords
    options: tuple[str, ...]


def form_type() -> Field:
    """The FORM_TYPE field of a form of type `submit` or `result`."""
    return Field("FORM_TYPE", (SSN,))


def has_negotiation(stanza: ET.Element) -> bool:
    """Whether a stanza carries a negotiation form."""
    return stanza.find(FEATURE) is not None or stanza.find(INIT) is not None


def read_message(stanza: ET.Element) -> NegotiationMessage | None:
    """Read a message that carries a negotiation form; None if it carries none.

    Raises:
        MalformedError: It carries one that is not of the form that XEP-0155 gives.
    """
    feature, init = stanza.find(FEATURE), stanza.find(INIT)
    wrapper = feature if feature is not None else init
    namespace, name = xml.split_tag(stanza.tag)
    if name != "message" or wrapper is None or stanza.get("type") == "error":
        return None
    if feature is not None and init is not None:
        raise MalformedError("a message holds two negotiation forms")
    if len(wrapper) != 1 or len(stanza.findall(C)) > 1:
        raise MalformedError("a negotiation holds exactly one form")
    form = Form(wrapper[0])
    if form.optional("FORM_TYPE") != SSN:
        raise MalformedError("a negotiation form is of another FORM_TYPE")
    found = stanza.find(f"{{{namespace}}}thread" if namespace else "thread")
    thread = ((found.text if found is not None else None) or "").strip()
    content = stanza.find(C)
    return NegotiationMessage(
        stanza.get("from", ""),
        stanza.get("to", ""),
        thread,
        form,
        init is not None,
        content,
        stanza,
        found.get("parent") if found is not None else None,
    )


def write_message(
    recipient: str,
    sender: str,
    thread: str,
    form: Form,
    *,
    parent: str | None = None,
    init: bool = False,
    content: ET.Element | None = None,
    only_online: bool = False,
    namespace: str = "jabber:client",
) -> ET.Element:
    """A message that carries a negotiation form.

    Args:
        recipient: Its `to`.
        sender: Its `from`.
        thread: The session's thread.
        form: The form.
        parent: The thread that this one branched off.
        init: Put the form into `<init/>`.
        content: Encrypted content to send along.
        only_online: Ask the server not to keep the message for later (XEP-0079).
        namespace: The stanza's namespace.
    """
    message = ET.Element(f"{{{namespace}}}message", {"to": recipient, "from": sender})
    message.append(write_thread(thread, parent, namespace))
    ET.SubElement(message, INIT if init else FEATURE).append(form.element)
    if content is not None:
        message.append(content)
    if only_online:
        amp = ET.SubElement(message, f"{{{AMP}}}amp", {"per-hop": "true"})
        ET.SubElement(amp, f"{{{AMP}}}rule", {"action": "drop", "condition": "deliver", "value": "stored"})
    return message


def write_thread(thread: str, parent: str | None, namespace: str) -> ET.Element:
    """The thread of a session (XEP-0201)."""
    element = ET.Element(
        f"{{{namespace}}}thread" if namespace else "thread", {"parent": parent} if parent else {}
    )
    element.text = thread
    return element


def write_error(
    stanza: ET.Element, condition: str, fields: Iterable[str] = (), *, kind: str = "cancel"
) -> ET.Element:
    """The error that answers a stanza (XEP-0155 section 4.3, XEP-0116 section 4.4).

    Args:
        stanza: What is answered; its negotiation form is sent back with the error.
        condition: The defined condition.
        fields: The form fields that the error names.
        kind: The error's type.
    """
    namespace, name = xml.split_tag(stanza.tag)
    prefix = f"{{{namespace}}}" if namespace else ""
    answer = ET.Element(stanza.tag, {"type": "error"})
    for theirs, ours in (("from", "to"), ("to", "from"), ("id", "id")):
        if theirs in stanza.attrib:
            answer.set(ours, stanza.attrib[theirs])
    thread = stanza.find(f"{prefix}thread")
    if thread is not None and name == "message":
        ET.SubElement(answer, f"{prefix}thread").text = thread.text
    for wrapper in (FEATURE, INIT, C):
        found = stanza.find(wrapper)
        if found is not None:
            answer.append(xml.copy_element(found))
    error = ET.SubElement(answer, f"{prefix}error", {"type": kind})
    ET.SubElement(error, f"{{{STANZA_ERRORS}}}{condition}")
    named = list(fields)
    if named:
        feature = ET.SubElement(error, FEATURE)
        for var in named:
            # Without a namespace of its own, as a child of <feature/> (XEP-0155 example 5).
            ET.SubElement(feature, f"{{{FEATURE_NEGOTIATION}}}field", {"var": var})
    return answer


def read_error(stanza: ET.Element) -> tuple[str, tuple[str, ...]]:
    """The defined condition of an error stanza, and the form fields that it names."""
    namespace, _ = xml.split_tag(stanza.tag)
    error = stanza.find(f"{{{namespace}}}error" if namespace else "error")
    if error is None:
        return "undefined-condition", ()
    condition = "undefined-condition"
    fields: list[str] = []
    for child in error:
        of, name = xml.split_tag(child.tag)
        if of == STANZA_ERRORS and name != "text":
            condition = name
        elif child.tag == FEATURE:
            fields += [field.get("var", "") for field in child]
    return condition, tuple(fields)


def read_logging(form: Form) -> LoggingOffer | None:
    """What a request offers about keeping messages; None where it says nothing.

    XEP-0155 names the field `logging` with `may` and `mustnot`, XEP-0116 writes true and false there, and
    XEP-0217 and XEP-0187 name it `otr`: see docs/decisions/esession-logging-field.md.
    """
    for words, (var, vocabulary) in _LOGGING.items():
        field = form.fields.get(var)
        if field is None:
            continue
        meanings = {word: meaning for meaning, word in vocabulary.items()}
        options = tuple(meanings[word] for word in field.offered if word in meanings)
        if options:
            return LoggingOffer(words, options)
    return None


def logging_var(words: LoggingWords) -> str:
    """The field's name in these words."""
    return _LOGGING[words][0]


def logging_word(words: LoggingWords, meaning: str) -> str:
    """The value in these words."""
    return _LOGGING[words][1][meaning]


def control_form(
    kind: Literal["form", "submit", "result"], fields: Iterable[Field], profile: Profile
) -> Form:
    """A form that terminates, moves, renegotiates, rejects or cancels a session."""
    return Form.build(kind, [form_type(), *fields], profile)
