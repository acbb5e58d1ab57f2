"""The commented YAML file and the page of documentation, both made from the models.

`python -m stanzavault.config.reference` writes them anew below the current folder.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from stanzavault.config.environment import variable_of
from stanzavault.config.settings import Section, Settings, each_section, subsection
from stanzavault.config.sources import Key
from stanzavault.config.written import expected, is_text, show

EXAMPLE = Path("config/stanzavault.example.yaml")
PAGE = Path("docs/configuration.md")

_WIDTH = 100
_EXAMPLE_HEAD = f"""\
# Stanzavault: every setting, each with its default where it has one.
# Check it with: stanzavault check FILE
# Environment variables such as {variable_of(("component", "secret"))} override what stands here.
# Durations, sizes and rates have units: 30d, 256KiB, 20/s.
"""
_PAGE_HEAD = f"""\
# Configuration

<!-- Made by `python -m stanzavault.config.reference` from `component/stanzavault/config/settings.py`. -->

`stanzavault` reads one YAML file: the one named by `--config`, else by the environment variable
`STANZAVAULT_CONFIG`, else `/etc/stanzavault/stanzavault.yaml`. `stanzavault init` writes one with
comments, and `stanzavault check FILE` shows every value with the place that it comes from.

- **What overrides what.** An environment variable overrides the file, and the file overrides the
  default. The variable of `component.secret` is `{variable_of(("component", "secret"))}`: two underscores
  between section and name. Lists, numbers, true and false are written there as in the file, and text
  without quotes. A variable that looks like a setting's and is none's is an error.
- **Alternatives.** Of `secret_file` and `secret`, of `url` and `url_file`, and of the three
  `master_key_...` a source gives one, which replaces whatever a weaker source gave of them.
- **Durations** are whole numbers of ms, s, min, h, d, w or y (365 days); **sizes** of B, KiB, MiB, GiB
  or TiB; **rates** are per s, min or h. A bare number is an error.
- **Paths** that are not absolute start where the YAML file lies.
- **Secrets** are never shown. A file that holds one must be closed to others (its group may read it),
  the YAML file itself included where a secret stands in it; otherwise the vault refuses it and names
  the `chmod` that helps.
- **Everything wrong is told at once**, with the line, the key and what was expected.
"""


def example_yaml(values: Mapping[str, str] | None = None) -> str:
    """A YAML file that names and explains every setting.

    Args:
        values: what to write instead of a default or an example, by names such as `component.jid`; as YAML.
    """
    return _EXAMPLE_HEAD + "\n".join(_yaml_of(Settings, (), values or {})) + "\n"


def _yaml_of(section: type[Section], key: Key, values: Mapping[str, str]) -> Iterator[str]:
    indent = "  " * len(key)
    for name, field in section.model_fields.items():
        inner = subsection(section, name)
        if not key:
            yield ""
        if inner:
            yield from _comment(indent, _story(inner))
            yield f"{indent}{name}:"
            yield from _yaml_of(inner, (*key, name), values)
            continue
        yield from _comment(indent, field.description or "")
        chosen = values.get(".".join((*key, name)))
        usual = chosen or _default(field) or _example(field)
        optional = field.default is None and name not in section.alternatives[:1]
        aside = chosen is None and (optional or name in section.alternatives[1:])
        yield f"{indent}{'# ' if aside else ''}{name}: {usual}"


def _comment(indent: str, text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _story(section: type[Section]) -> str:
    return " ".join((section.__doc__ or "").split())


def _default(field: FieldInfo) -> str:
    """The default as YAML, or nothing where there is none."""
    if field.default is None or field.default is PydanticUndefined:
        return ""
    text = show(field, field.default)
    return json.dumps(text) if is_text(field) and yaml.safe_load(text) != text else text


def _example(field: FieldInfo) -> str:
    return str(field.examples[0]) if field.examples else ""


def configuration_page() -> str:
    """The page of documentation on every setting, in Markdown."""
    parts = [_PAGE_HEAD]
    for key, section in each_section():
        names = [name for name in section.model_fields if subsection(section, name) is None]
        title = f"`{'.'.join(key)}`" if key else "At the top"
        parts.append(f"\n## {title}\n\n{_story(section)}\n\n| setting | expected | default | meaning |\n")
        parts.append("| --- | --- | --- | --- |\n")
        parts.extend(_row(section, name) for name in names)
    return "".join(parts)


def _row(section: type[Section], name: str) -> str:
    field = section.model_fields[name]
    cells = (f"`{name}`", expected(field), _default_cell(section, name), field.description or "")
    return f"| {' | '.join(cells)} |\n"


def _default_cell(section: type[Section], name: str) -> str:
    field = section.model_fields[name]
    if default := _default(field):
        return f"`{default}`"
    if name in section.alternatives and not any(
        _default(section.model_fields[n]) for n in section.alternatives
    ):
        return "**one of these**"
    return "none" if field.default is None else "**required**"


if __name__ == "__main__":
    EXAMPLE.write_text(example_yaml(), encoding="utf-8")
    PAGE.write_text(configuration_page(), encoding="utf-8")
