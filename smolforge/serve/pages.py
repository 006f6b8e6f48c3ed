"""The chat page as one file: `chat.html` with its styles and scripts in it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib import resources

PART = re.compile(r"(?:// )?<!-- (\w+\.(?:css|js)) -->")


def whole_page(others: Mapping[str, str] | None = None) -> str:
    """The page with all its parts; `others` gives the text of some in place of the files."""
    folder = resources.files("smolforge.serve").joinpath("page")
    texts = others or {}

    def part(found: re.Match[str]) -> str:
        name = found[1]
        return texts[name] if name in texts else folder.joinpath(name).read_text(encoding="utf-8")

    return PART.sub(part, folder.joinpath("chat.html").read_text(encoding="utf-8"))


def digest_of(page: str, tag: str) -> str:
    """What a policy calls the page's own `script` or `style`: SHA-256 in base64."""
    inside = page.split(f"<{tag}>", 1)[1].split(f"</{tag}>", 1)[0]
    return base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
