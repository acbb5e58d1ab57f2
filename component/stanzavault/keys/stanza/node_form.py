"""A node's configuration as a data form (XEP-0060, section 8.2; XEP-0004)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import BadRequest
from stanzavault.keys.model.conditions import condition
from stanzavault.keys.model.requests import Options
from stanzavault.wire import xep_0004
from stanzavault.wire.xml import add, only_child, qualified

NODE_CONFIG: Final = "http://jabber.org/protocol/pubsub#node_config"
PUBLISH_OPTIONS: Final = "http://jabber.org/protocol/pubsub#publish-options"
META_DATA: Final = "http://jabber.org/protocol/pubsub#meta-data"


def parse_options(holder: Element, form_type: str, most_fields: int) -> Options:
    """The fields that the form within `holder` submits; none where the form is cancelled.

    Raises:
        BadRequest: there is no such form, or it is of another type.
        NotAcceptable: it has more fields than `most_fields`.
    """
    found = only_child(holder, xep_0004.FORM)
    if found is None or len(holder) != 1:
        raise BadRequest("A data form is needed here.", application=condition("invalid-options"))
    form = xep_0004.parse(found, most_fields)
    if form.type == "cancel":
        return {}
    if form.type != "submit" or form.form_type != form_type:
        raise BadRequest(
            f"The form has to be submitted with FORM_TYPE {form_type}.",
            application=condition("invalid-options"),
        )
    return form.values


def render_form(
    form_type: str, type_: str, values: Mapping[str, Sequence[str]], choices: Mapping[str, Sequence[str]]
) -> Element:
    """A form of type "form" or "result"; `choices` gives the values that a field may take."""
    types = dict.fromkeys(choices, "list-single")
    tree = xep_0004.render(xep_0004.Form(type_, form_type, values), types)
    for field in tree.findall(qualified(xep_0004.NAMESPACE, "field")):
        for choice in choices.get(field.get("var", ""), ()):
            add(add(field, "option"), "value", text=choice)
    return tree
