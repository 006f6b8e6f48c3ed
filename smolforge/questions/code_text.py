"""The words of a source file: what its functions and classes say of themselves. Code itself is not read.

Nothing is parsed, let alone run: a declaration with a comment at the place where its language puts one is
enough, and no file can be too deep or too broken.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

PYTHON_NAMES = (".py", ".pyi", ".pyx")
OTHER_NAMES = (
    ".js", ".mjs", ".jsx", ".ts", ".tsx", ".c", ".h", ".cc", ".cpp", ".hpp", ".rs", ".go", ".java", ".kt", ".php",
    ".cs", ".swift", ".scala", ".rb", ".lua", ".sh", ".sql", ".r", ".jl", ".pl", ".hs", ".ml", ".css", ".zig",
)  # fmt: skip
PYTHON_LINE = re.compile(
    r"^(?:\s*(?:async )?def \w+\(|class \w+[:(]|import \w|from [\w.]+ import )", re.MULTILINE
)
OTHER_LINE = re.compile(
    r"^\s*(?:#include|use [\w:]+;|pub fn |fn \w+\(|function \w+\(|const \w+ = |package \w+;)|[;{]$",
    re.MULTILINE,
)
DECLARED = re.compile(r"^([ \t]*)(?:async )?(def|class) ([A-Za-z_]\w{0,80})")
OTHER_DECLARED = re.compile(
    r"\s*(?:export |default |public |private |protected |static |abstract |final |pub(?:\([a-z]+\))? |async |unsafe |const )*"
    r"(?:function\*?|class|interface|struct|enum|trait|fn|func|type|def)\s+(?:\([^)\n]{0,80}\)\s*)?([A-Za-z_]\w{0,80})"
)
TEST_NAME = re.compile(
    r"(?:^|/)(?:tests?|testing|__tests__|spec)/|(?:^|/)test_|[._]test\.\w+$|[._]spec\.\w+$"
)
MAX_COMMENT_LINES = 60
MAX_HEAD_LINES = 40
MAX_SYMBOLS = 2000


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function or class, `Class.method` for a method, and its comment without marks."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """A function or class (`kind` def or class, nothing elsewhere than in Python), and its text up to the colon."""

    name: str
    kind: str
    head: str
    is_top: bool


def declarations_of(id: str, text: str) -> list[Declaration]:
    """What a source file declares that others may use: nothing of a test, nothing private, nothing inside functions."""
    name = id.lower()
    if TEST_NAME.search(name):
        return []
    if name.endswith(PYTHON_NAMES):
        return _python_declarations(text)
    if name.endswith(OTHER_NAMES):
        found = (OTHER_DECLARED.match(line[:300]) for line in text.splitlines() if line[:1].strip())
        names = (one.group(1) for one in found if one)
        return [Declaration(one, "", "", True) for one in names if _is_public(one)][:MAX_SYMBOLS]
    return []


def _python_declarations(text: str) -> list[Declaration]:
    lines, found, owner = text.splitlines(), list[Declaration](), ""
    for place, line in enumerate(lines):
        declared = DECLARED.match(line) if len(line) < 400 else None
        if declared is None or len(found) >= MAX_SYMBOLS:
            continue
        indent, kind, name = len(declared.group(1)), declared.group(2), declared.group(3)
        is_method = kind == "def" and owner and 0 < indent <= 4
        if indent == 0:
            owner = name if kind == "class" else ""
        if not (indent == 0 or is_method) or not _is_public(name if indent == 0 else owner):
            continue
        if indent and not _is_public(name) and name != "__init__":
            continue
        head = " ".join(one.split("#")[0].strip() for one in lines[place : _head_end(lines, place) + 1])
        whole = name if indent == 0 else owner if name == "__init__" else f"{owner}.{name}"
        found.append(Declaration(whole, kind, head, indent == 0))
    return found


def _is_public(name: str) -> bool:
    return len(name) > 3 and not name.startswith("_")


def symbols_of(id: str, text: str) -> list[Symbol] | None:
    """The commented symbols of a source file, none of a test; None where the document is no source file."""
    name = id.lower()
    found = _symbols_in(name, text)
    return [] if found and TEST_NAME.search(name) else found


def _symbols_in(name: str, text: str) -> list[Symbol] | None:
    if name.endswith(PYTHON_NAMES) or (not _has_text_name(name) and _is_mostly(PYTHON_LINE, text)):
        return _python_symbols(text)
    if name.endswith(OTHER_NAMES) or (not _has_text_name(name) and _is_mostly(OTHER_LINE, text)):
        return _other_symbols(text)
    return None


def is_code_name(name: str) -> bool:
    """Whether a name is that of a source file."""
    return name.lower().endswith(PYTHON_NAMES + OTHER_NAMES)


def _has_text_name(name: str) -> bool:
    return name.endswith((".md", ".markdown", ".mdx", ".rst", ".txt", ".html"))


def _is_mostly(pattern: re.Pattern[str], text: str) -> bool:
    """Whether a fifth of the first lines look like the pattern's."""
    head = text[:8000]
    lines = sum(bool(line.strip()) for line in head.splitlines())
    return lines >= 5 and len(pattern.findall(head)) * 5 >= lines


def _python_symbols(text: str) -> list[Symbol]:
    lines = text.splitlines()
    found: list[Symbol] = []
    classes: list[tuple[int, str]] = []
    for place, line in enumerate(lines):
        declared = DECLARED.match(line) if len(line) < 400 else None
        if declared is None or len(found) >= MAX_SYMBOLS:
            continue
        indent, kind, name = len(declared.group(1)), declared.group(2), declared.group(3)
        classes = [c for c in classes if c[0] < indent]
        owner = classes[-1][1] + "." if classes and kind == "def" else ""
        comment = _docstring(lines, place)
        if comment and not name.startswith("__"):
            found.append(Symbol(owner + name, comment))
        if kind == "class":
            classes.append((indent, name))
    return found


def _docstring(lines: list[str], place: int) -> str:
    """The triple-quoted text after the head of the declaration at `place`, if there is one."""
    end = _head_end(lines, place)
    if end + 1 >= len(lines):
        return ""
    opened = re.match(r"\s*[rRuU]?(\"\"\"|''')", lines[end + 1])
    if opened is None:
        return ""
    quote = opened.group(1)
    first = lines[end + 1][opened.end() :]
    if quote in first:
        return first.partition(quote)[0].strip()
    rest = []
    for line in lines[end + 2 : end + 2 + MAX_COMMENT_LINES]:
        before, closed, _ = line.partition(quote)
        rest.append(before)
        if closed:
            return f"{first.strip()}\n{textwrap.dedent(chr(10).join(rest))}".strip()
    return ""


def _head_end(lines: list[str], place: int) -> int:
    """The last line of the head of the declaration at `place`."""
    end = place
    for end in range(place, min(place + MAX_HEAD_LINES, len(lines))):
        if lines[end].split("#")[0].rstrip().endswith(":"):
            break
    return end


def _other_symbols(text: str) -> list[Symbol]:
    """Declarations right below a `/** … */` comment or a run of `///` lines, `//` in Go."""
    found: list[Symbol] = []
    comment: list[str] = []
    inside = False
    is_go = re.search(r"^package \w+$", text[:2000], re.MULTILINE) is not None
    for line in text.splitlines():
        bare = line.strip()
        if inside or bare.startswith("/**"):
            inside = "*/" not in bare
            comment = [*comment, _bare_comment(bare)][-MAX_COMMENT_LINES:]
        elif bare.startswith("///") or (is_go and bare.startswith("// ")):
            comment = [*comment, bare.lstrip("/").strip()][-MAX_COMMENT_LINES:]
        elif bare.startswith(("#[", "@")):  # attributes stand between a comment and what it is about
            continue
        else:
            declared = OTHER_DECLARED.match(line[:300]) if comment else None
            if declared and len(found) < MAX_SYMBOLS:
                found.append(Symbol(declared.group(1), _paragraphs(comment)))
            comment = []
    return found


def _bare_comment(line: str) -> str:
    return re.sub(r"^/\*\*+|\*+/$|^\*+ ?", "", line).strip()


def _paragraphs(lines: list[str]) -> str:
    kept = []
    for line in lines:
        if line.startswith(("@", "# ")):
            break
        kept.append(line)
    return "\n".join(kept).strip()
