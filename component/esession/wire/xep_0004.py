"""Data forms (XEP-0004), as far as session negotiation uses them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal
from xml.etree import ElementTree as ET

from esession.errors import MalformedError
from esession.suite import Profile
from esession.wire import xml

DATA: Final = "jabber:x:data"
_X: Final = f"{{{DATA}}}x"
_FIELD: Final = f"{{{DATA}}}field"
_VALUE: Final = f"{{{DATA}}}value"
_OPTION: Final = f"{{{DATA}}}option"
_REQUIRED: Final = f"{{{DATA}}}required"
_TRUE: Final = frozenset({"1", "true"})
_FALSE: Final = frozenset({"0", "false"})

FormKind = Literal["form", "submit", "result", "cancel"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form: values, or options to choose from, in order of preference."""

    var: str
    values: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    kind: str | None = None
    required: bool = False

    @property
    def offered(self) -> tuple[str, ...]:
        """What may be chosen: the options, or the fixed values of a field without any."""
        return self.options or self.values


class Form:
    """A form together with the element it was read from, since that is what gets normalized."""

    def __init__(self, element: ET.Element, fields: Iterable[Field] | None = None) -> None:
        """Read a form.

        Args:
            element: An `<x/>` of jabber:x:data.
            fields: Its fields, where they are known because it was written here.

        Raises:
            MalformedError: It is no form, a field has no name, or two fields have the same name.
        """
        self.element = element
        self.kind = element.get("type", "form")
        self.fields: dict[str, Field] = {}
        self._normalized: dict[tuple[str, frozenset[str]], bytes] = {}
        for field in _read_fields(element) if fields is None else fields:
            if field.var in self.fields:
                raise MalformedError(f"the form names the field {field.var!r} twice")
            self.fields[field.var] = field

    @classmethod
    def build(cls, kind: FormKind, fields: Iterable[Field], profile: Profile) -> Form:
        """Write a form the way the profile's implementations write it."""
        written = list(fields)
        element = ET.Element(_X, {"type": kind})
        element.extend(_write_field(field, gajim=profile.name == "gajim") for field in written)
        return cls(element, written)

    def __contains__(self, var: str) -> bool:
        return var in self.fields

    def with_fields(self, fields: Iterable[Field], profile: Profile) -> Form:
        """The same form with more fields at its end."""
        written = list(fields)
        element = ET.Element(_X, dict(self.element.attrib))
        element.extend(self.element)
        element.extend(_write_field(field, gajim=profile.name == "gajim") for field in written)
        return Form(element, [*self.fields.values(), *written])

    def value(self, var: str) -> str:
        """The single value of a field.

        Raises:
            MalformedError: The field is missing or has another number of values.
        """
        field = self.fields.get(var)
        if field is None or len(field.values) != 1:
            raise MalformedError(f"the form needs exactly one value for {var!r}")
        return field.values[0]

    def optional(self, var: str) -> str | None:
        """The single value of a field, None where the form has no such field."""
        return self.value(var) if var in self.fields else None

    def octets(self, var: str) -> bytes:
        """The single Base64 value of a field, decoded."""
        return decode_base64(self.value(var))

    def all_octets(self, var: str) -> tuple[bytes, ...]:
        """All Base64 values of a field, decoded; none where the form has no such field."""
        field = self.fields.get(var)
        return tuple(decode_base64(value) for value in field.values) if field else ()

    def boolean(self, var: str) -> bool | None:
        """A boolean field: `1` or `true`, `0` or `false`; None where the form has no such field."""
        value = self.optional(var)
        if value is None:
            return None
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise MalformedError(f"{var!r} is not a boolean")

    def normalized(self, profile: Profile, without: Collection[str] = ("identity", "mac")) -> bytes:
        """The normalized content of the form: its children, without these fields (XEP-0116 section 6.2)."""
        known = (profile.name, frozenset(without))
        if known not in self._normalized:
            self._normalized[known] = self._normalize(profile, without)
        return self._normalized[known]

    def _normalize(self, profile: Profile, without: Collection[str]) -> bytes:
        style = xml.GAJIM if profile.name == "gajim" else xml.CANONICAL
        chosen = [child for child in self.element if child.get("var") not in without]
        if not style.keeps_inner_space and any(
            (text or "").strip() for text in (self.element.text, *(child.tail for child in self.element))
        ):
            raise MalformedError("character data between fields can't be normalized")
        return xml.normalize(chosen, style)

    @cached_property
    def chosen(self) -> Mapping[str, str]:
        """The fields that have exactly one value."""
        return {var: field.values[0] for var, field in self.fields.items() if len(field.values) == 1}


def decode_base64(text: str) -> bytes:
    """Decode Base64 (RFC 4648 section 4); white space is skipped.

    Raises:
        MalformedError: It isn't Base64, or it is empty.
    """
    try:
        octets = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError("a value is not Base64") from None
    if not octets:
        raise MalformedError("a Base64 value is empty")
    return octets


def encode_base64(octets: bytes) -> str:
    """Base64 without line breaks."""
    return base64.b64encode(octets).decode("ascii")


def _read_fields(element: ET.Element) -> Iterator[Field]:
    if element.tag != _X:
        raise MalformedError("this is not a data form")
    for child in element:
        if child.tag == _FIELD:
            yield _read_field(child)
        elif xml.split_tag(child.tag)[0] != DATA:
            raise MalformedError("a negotiation form holds an element of another namespace")


def _read_field(element: ET.Element) -> Field:
    var = element.get("var")
    if not var:
        raise MalformedError("a form's field has no name")
    values: list[str] = []
    options: list[str] = []
    required = False
    for child in element:
        if child.tag == _VALUE:
            values.append(child.text or "")
        elif child.tag == _OPTION:
            options.append(child.findtext(_VALUE, ""))
        elif child.tag == _REQUIRED:
            required = True
    return Field(var, tuple(values), tuple(options), element.get("type"), required)


def _write_field(field: Field, *, gajim: bool) -> ET.Element:
    element = ET.Element(_FIELD, {"var": field.var})
    kind = field.kind or ("text-single" if gajim else None)
    if kind:
        element.set("type", kind)
    for value in field.values:
        ET.SubElement(element, _VALUE).text = value
    if field.required and gajim:
        ET.SubElement(element, _REQUIRED)
    for option in field.options:
        # Gajim labels these options with Python's None, and MACs the form that says so.
        labels = {"label": "None"} if gajim and field.var == "modp" else {}
        ET.SubElement(ET.SubElement(element, _OPTION, labels), _VALUE).text = option
    if field.required and not gajim:
        ET.SubElement(element, _REQUIRED)
    return element
