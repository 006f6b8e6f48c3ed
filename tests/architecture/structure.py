"""The structure as it is: rooms, their lines, who imports whom, and circles; read from the source, nothing is imported.

A room is a folder; `frame`, `ground` and `command` are the files at the top. A room's door is its `stages.py` (or a
`*_stages.py` beside it): it joins rooms for the frame, so its arrows are counted apart.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SPLIT_ROOMS = ("data", "device", "evals")
"""Folders whose folders are the rooms."""
TOP: Mapping[str, str] = {
    **dict.fromkeys(
        [
            "__init__",
            "compiled",
            "config",
            "devices",
            "errors",
            "intervals",
            "language_model",
            "log",
            "plain_json",
            "threads",
            "units",
        ],
        "ground",
    ),
    **dict.fromkeys(
        ["artifacts", "facts", "outlook", "plan", "provenance", "recipe", "show", "stage", "store"], "frame"
    ),
    **dict.fromkeys(
        ["cli", "closing", "corpora", "doctor", "exporting", "models", "run", "tries"], "command"
    ),
}
CODE = (".py", ".c", ".h", ".html", ".css", ".js")

Graph = dict[str, set[str]]


@dataclass
class Room:
    """What one room holds: files and lines of code, lines of tables and texts, and the rooms that it imports."""

    files: int = 0
    code_lines: int = 0
    table_lines: int = 0
    arrows: set[str] = field(default_factory=set)
    door_arrows: set[str] = field(default_factory=set)

    @property
    def lines(self) -> int:
        return self.code_lines + self.table_lines


@dataclass(frozen=True)
class Structure:
    """`real` and `for_types` give, for every module, the modules that it imports; the second are under `TYPE_CHECKING`."""

    rooms: Mapping[str, Room]
    real: Graph
    for_types: Graph


def is_door(path: Path) -> bool:
    return path.name.endswith("stages.py")


def room_of(path: Path) -> str:
    """`data/read/hub.py` → `data/read`; the path is one inside the package."""
    if len(path.parts) == 1:
        return TOP.get(path.stem, "unknown")
    deep = path.parts[0] in SPLIT_ROOMS and len(path.parts) > 2
    return "/".join(path.parts[: 2 if deep else 1])


def imported(tree: ast.AST, for_types: bool = False) -> Iterator[tuple[str, str, bool]]:
    """(module, name or nothing, whether only for types) of every import, wherever it stands in the file."""
    for node in ast.iter_child_nodes(tree):
        types_only = for_types or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        if isinstance(node, ast.Import):
            yield from ((alias.name, "", types_only) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name, types_only) for alias in node.names)
        yield from imported(node, types_only)


def read_structure(package: Path) -> Structure:
    """The structure of the package in this folder. Of `from package import module` the module alone counts."""
    places = {_module(path, package): path for path in sorted(package.rglob("*.py"))}
    structure = Structure(_rooms(package), {name: set() for name in places}, {name: set() for name in places})
    for name, path in places.items():
        own = room_of(path.relative_to(package))
        for module, part, types_only in imported(ast.parse(path.read_text("utf-8"))):
            other = f"{module}.{part}" if f"{module}.{part}" in places else module
            if other not in places or other == name:
                continue
            (structure.for_types if types_only else structure.real)[name].add(other)
            room = room_of(places[other].relative_to(package))
            if not types_only and room != own:
                arrows = structure.rooms[own].door_arrows if is_door(path) else structure.rooms[own].arrows
                arrows.add(room)
    return structure


def _rooms(package: Path) -> dict[str, Room]:
    """Every room with its files and lines; empty files count for nothing."""
    rooms: dict[str, Room] = {}
    for path in sorted(p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        lines = len(path.read_text("utf-8").splitlines())
        if lines:
            room = rooms.setdefault(room_of(path.relative_to(package)), Room())
            room.files += 1
            room.code_lines += lines if path.suffix in CODE else 0
            room.table_lines += lines if path.suffix not in CODE else 0
    return rooms


def _module(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Groups of nodes that all reach each other, each sorted. Source: Tarjan, SIAM J. Comput. 1(2), 1972."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    open_nodes: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        open_nodes.append(node)
        for other in graph.get(node, ()):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in open_nodes:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            place = open_nodes.index(node)
            group = sorted(open_nodes[place:])
            del open_nodes[place:]
            if len(group) > 1:
                found.append(group)

    for node in graph:
        if node not in order:
            visit(node)
    return found


def with_types(structure: Structure) -> Graph:
    """Every import, those for types included."""
    return {name: others | structure.for_types[name] for name, others in structure.real.items()}


def report(structure: Structure) -> str:
    """The structure as lines of text: a table of rooms, then circles."""
    lines = [f"{'room':12} {'files':>5} {'code':>6} {'tables':>6}  imports (by its door too)"]
    for name, room in sorted(structure.rooms.items()):
        door = sorted(room.door_arrows - room.arrows - {"ground", "frame"})
        said = " ".join(sorted(room.arrows - {"ground"})) + (f" ({' '.join(door)})" if door else "")
        lines.append(f"{name:12} {room.files:>5} {room.code_lines:>6} {room.table_lines:>6}  {said}".rstrip())
    files, code = (
        sum(r.files for r in structure.rooms.values()),
        sum(r.code_lines for r in structure.rooms.values()),
    )
    lines.append(f"{'all':12} {files:>5} {code:>6} {sum(r.table_lines for r in structure.rooms.values()):>6}")
    real = circles(structure.real)
    lines += [f"circle: {' ⇄ '.join(group)}" for group in real]
    lines += [
        f"circle by types: {' ⇄ '.join(group)}"
        for group in circles(with_types(structure))
        if group not in real
    ]
    lines += [
        f"circle of rooms: {' ⇄ '.join(group)}"
        for group in circles({n: r.arrows for n, r in structure.rooms.items()})
    ]
    return "\n".join(lines if real or lines[-1].startswith("circle") else [*lines, "no circles"])
