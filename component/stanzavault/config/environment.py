"""Settings from environment variables such as STANZAVAULT_COMPONENT__SECRET."""

from __future__ import annotations

from collections.abc import Mapping

import yaml
from pydantic.fields import FieldInfo

from stanzavault.config.problems import Problem
from stanzavault.config.settings import each_setting
from stanzavault.config.sources import Key, Layer, Source
from stanzavault.config.written import is_text

_PREFIX = "STANZAVAULT_"
_BETWEEN = "__"


def variable_of(key: Key) -> str:
    """The environment variable that gives a setting: two underscores between section and name."""
    return _PREFIX + _BETWEEN.join(key).upper()


def read_environment(environ: Mapping[str, str]) -> tuple[Layer, list[Problem]]:
    """Collect every variable that gives a setting.

    Numbers, true and false, and lists are written as in the file; text is taken as it stands, so that a
    secret needs no quotes.

    Returns:
        What they give, and the variables that look like a setting's and are none's.
    """
    layer = Layer()
    known = {variable_of(key): (key, field) for key, field in each_setting()}
    for variable in sorted(known.keys() & environ.keys()):
        key, field = known[variable]
        layer.put(key, _value(field, environ[variable]), Source(variable))
    settings_like = (name for name in sorted(environ) if name.startswith(_PREFIX) and _BETWEEN in name)
    unknown = (Source(name) for name in settings_like if name not in known)
    return layer, [Problem(source, (), "no setting has this name") for source in unknown]


def _value(field: FieldInfo, text: str) -> object:
    if is_text(field):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text  # which the setting's type refuses, and names the variable
