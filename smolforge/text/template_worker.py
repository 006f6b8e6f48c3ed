"""Renders one chat template, in a process of its own that its parent may end at any moment.

A template comes with a model file, so it is a stranger's program: jinja2's immutable sandbox keeps it from Python's
insides, and this process's limits from the machine's memory and time. Started with the template as the first line
of standard input; each further line is a list of renderings, each answered by a line of results.
Imports nothing of ours, so that it starts at once.

Source of the environment (trimmed blocks, `tojson`, `raise_exception`, `strftime_now`, `generation`): what templates
are written for, `transformers.utils.chat_template_utils` and its documentation.
"""

from __future__ import annotations

import datetime
import json
import resource
import sys
from typing import Any

import jinja2
import jinja2.ext
import jinja2.sandbox

MEMORY_BYTES = 1 << 29
LONGEST_OUTPUT = 1 << 24


class Generation(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}` marks what an assistant says; here it only stands for its inside."""

    tags = {"generation"}  # noqa: RUF012 (as jinja2 declares it)

    def parse(self, parser: Any) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """The sandbox, and no private names on namespaces either."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return not attr.startswith("_") and super().is_safe_attribute(obj, attr, value)


class Refused(Exception):
    """The template's own words on why it cannot write this conversation."""


def refuse(message: Any) -> None:
    raise Refused(str(message)[:500])


def to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: Any = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def compiled(source: str) -> jinja2.Template:
    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = refuse
    return environment.from_string(source)


def rendered(template: jinja2.Template, values: dict[str, Any]) -> dict[str, str]:
    """`{"text": …}`, `{"refused": …}` in the template's words, or `{"broken": …}` in Python's."""
    day = datetime.date.fromisoformat(values.pop("today"))
    size, parts = 0, []
    try:
        for part in template.generate(strftime_now=day.strftime, **values):
            size += len(part)
            if size > LONGEST_OUTPUT:
                return {"broken": f"it writes more than {LONGEST_OUTPUT} characters"}
            parts.append(part)
    except Refused as error:
        return {"refused": str(error)}
    except (RecursionError, MemoryError):
        return {"broken": "it needs too much memory"}
    except Exception as error:  # whatever a stranger's program does wrong is told, not passed on
        return {"broken": f"{type(error).__name__}: {error}"[:500]}
    return {"text": "".join(parts)}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        template = compiled(json.loads(sys.stdin.readline()))
    except Exception as error:
        print(json.dumps({"broken": f"{type(error).__name__}: {error}"[:500]}), flush=True)
        return
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        print(json.dumps([rendered(template, values) for values in json.loads(line)]), flush=True)


if __name__ == "__main__":
    main()
