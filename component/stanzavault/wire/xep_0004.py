"""Data forms as far as the vault's protocols fill them (XEP-0004, XEP-0068)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import BadRequest, NotAcceptable
from stanzavault.wire.xml import add, character_data, element, qualified, required

NAMESPACE = "jabber:x:data"
FORM = qualified(NAMESPACE, "x")
_TYPES = frozenset({"form", "submit", "cancel", "result"})


@dataclass(frozen=True, slots=True)
class Form:
    """A form that was filled: the values of each field, in order.

    Attributes:
        type: "form", "submit", "cancel" or "result".
        form_type: the value of FORM_TYPE, "" where it names none.
        values: the values of every other field by its name.
    """

    type: str
    form_type: str
    values: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str | None:
        """The value of a field that has at most one.

        Raises:
            BadRequest: it has several.
        """
        values = self.values.get(name, ())
        if len(values) > 1:
            raise BadRequest(f"The field '{name}' takes one value.")
        return values[0] if values else None


def parse(form: Element, most_fields: int) -> Form:
    """Read `<x xmlns='jabber:x:data'/>`.

    Raises:
        BadRequest: it is not of its schema, or names a field twice.
        NotAcceptable: it has more fields than `most_fields`.
    """
    type_ = required(form, "type")
    if type_ not in _TYPES:
        raise BadRequest("The type of a form is form, submit, cancel or result.")
    fields = form.findall(qualified(NAMESPACE, "field"))
    if len(fields) > most_fields:
        raise NotAcceptable(f"A form of more than {most_fields} fields is not taken.")
    values: dict[str, tuple[str, ...]] = {}
    for field in fields:
        name = required(field, "var")
        if name in values:
            raise BadRequest(f"A form names the field '{name[:64]}' twice.")
        values[name] = tuple(character_data(value) for value in field.findall(qualified(NAMESPACE, "value")))
    form_type = values.pop("FORM_TYPE", ())
    return Form(type_, form_type[0] if form_type else "", values)


def render(form: Form, types: Mapping[str, str] | None = None) -> Element:
    """Write a form; `types` gives field types where they have to be told."""
    tree = element(FORM, {"type": form.type})
    if form.form_type:
        add(add(tree, "field", {"var": "FORM_TYPE", "type": "hidden"}), "value", text=form.form_type)
    for name, values in form.values.items():
        field = add(tree, "field", {"var": name, "type": (types or {}).get(name)})
        for value in values:
            add(field, "value", text=value)
    return tree
