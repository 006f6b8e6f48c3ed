"""What every page of ours is made by: one way to fill a template, one way to put a file there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup


def template_source(name: str) -> str:
    """The text of a template beside this file."""
    return resources.files("smolforge.report").joinpath(name).read_text(encoding="utf-8")


def filled(source: str, filters: Mapping[str, Any] = {}, **values: Any) -> str:
    """The page's HTML. Every value is escaped; only what is marked as markup is not. `head` is what all pages begin with."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= filters
    return environment.from_string(source).render(head=Markup(template_source("head.html")), **values)


def write_whole(file: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(file)
