"""Renders one batch of modules with `pydoc`, in a process of its own: `python -m smolforge.data.read.pydoc_render`.

Importing a module may print, open windows or exit, so this runs apart from everything else. Reads module
names from standard input, one a line; writes one JSON line a page, `{"module", "html"}`, or
`{"module", "error"}`, to the file named by the first argument.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import pydoc
import re
import site
import sys
import sysconfig
import warnings
from pathlib import Path

MAX_PAGE_BYTES = 400_000
ADDRESS = re.compile(r"(\bat(?: |&nbsp;)0x)[0-9a-fA-F]+")
# pydoc shortens long values in the middle, so that a path inside one cannot be found by its beginning.
QUOTED_FILE = re.compile(r"""(\b(?:file|from)(?: |&nbsp;))(["'])/[^"'<]*\2""")
FILE_LINK = re.compile(r'<br><a href="file:[^"]*">[^<]*</a>')


class Writer(pydoc.HTMLDoc):
    """`pydoc`'s writer, which shows the values of plain data only: others hold addresses and chance orders."""

    def docother(  # type: ignore[no-untyped-def,override]
        self, object, name=None, mod=None, *_ignored
    ) -> str:
        """A constant with its value, or with its type."""
        label = f"<strong>{name}</strong> = " if name else ""
        return label + (self.repr(object) if is_plain(object) else f"{type(object).__name__} object")


def is_plain(value: object, depth: int = 0) -> bool:
    """Whether a value is text, a number, or a small collection of such."""
    if value is None or isinstance(value, str | bytes | int | float | complex):
        return type(value).__module__ == "builtins"
    if depth < 3 and type(value) in (tuple, list, set, frozenset):
        return all(is_plain(item, depth + 1) for item in itertools.islice(value, 50))  # type: ignore[call-overload]
    if depth < 3 and type(value) is dict:
        return all(is_plain(item, depth + 1) for item in itertools.islice(value.items(), 50))
    return False


def private_paths() -> list[str]:
    """Places of this machine that no page may name, longest first."""
    found = {sys.prefix, sys.base_prefix, sys.exec_prefix, str(Path.cwd()), str(Path.home())}
    found |= set(sysconfig.get_paths().values()) | set(site.getsitepackages()) | {p for p in sys.path if p}
    found |= {str(Path(sys.executable).parent), str(Path(sys.executable).resolve().parent)}
    return sorted((p for p in found if len(p) > 4), key=lambda p: (-len(p), p))


def scrub(html: str, paths: list[str]) -> str:
    """The page without memory addresses and places of this machine."""
    html = FILE_LINK.sub("", html)
    html = ADDRESS.sub(r"\1...", html)
    html = QUOTED_FILE.sub(r"\1\2...\2", html)
    for path in paths:
        html = html.replace(path, "/usr/lib/python")
    return html


def render(name: str, writer: pydoc.HTMLDoc) -> str:
    """The HTML page of one module."""
    module = importlib.import_module(name)
    vars(module).pop("__warningregistry__", None)  # left by warnings, not the module's own
    return str(writer.page(pydoc.describe(module), writer.document(module, name)))


def main() -> None:
    warnings.simplefilter("ignore")
    names = sys.stdin.read().split()
    sys.argv = ["pydoc"]  # pages show it
    out_path, paths, writer = Path(ARGUMENTS[0]), private_paths(), Writer()
    with out_path.open("w", encoding="utf-8") as out:
        for name in names:
            row = {"module": name}
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                # A module's own code runs here, and may raise anything at all, SystemExit included.
                try:
                    html = scrub(render(name, writer), paths)
                    if len(html) <= MAX_PAGE_BYTES:
                        row["html"] = html
                    else:
                        row["error"] = "page too long"
                except BaseException as error:
                    row["error"] = type(error).__name__
            out.write(json.dumps(row, ensure_ascii=True) + "\n")
            out.flush()


ARGUMENTS = sys.argv[1:]

if __name__ == "__main__":
    main()
