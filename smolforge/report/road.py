"""The road taken, as a drawing: sources → corpora → phases → tuned variants → export, from lineage.

Five columns, left to right; within a column things stand in the order they were made. Corpora meet in
one bar (tokens, mixed) from which every phase draws, since lines from each corpus to each phase could
not be told apart; a phase's own colours say how much it drew from which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smolforge.report.compare import Step
from smolforge.report.reading import Made, Run, is_phase
from smolforge.report.svg import drawing, element, number, shortened, text, title
from smolforge.units import format_bytes, format_count

WIDTH, GAP, ROW_GAP, CHAIN_GAP, TOP = 178.0, 46.0, 12.0, 26.0, 26.0
HEADS = ("Sources", "Corpora", "Phases", "Tuned", "To the device")
COLUMNS = {"RawDocs": 0, "Corpus": 1, "ChatData": 0, "Tokenizer": 1, "PreferenceData": 3, "DeviceModel": 4}
PASS_THROUGH = ("TokenShards",)
"""Walked through, because it only changes the form of what it holds."""
PHASES, TUNED = 2, 3


@dataclass
class Box:
    """A thing on the road, and where it stands."""

    made: Made
    column: int
    lines: Sequence[str] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    colour: int | None = None
    x: float = 0.0
    y: float = 0.0

    @property
    def height(self) -> float:
        return 27.0 + 15 * len(self.lines) + (13 if self.shares else 0)

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def right(self) -> float:
        return self.x + WIDTH

    @property
    def bottom(self) -> float:
        return self.y + self.height


def road(
    run: Run, steps: Sequence[Step], mixtures: Mapping[str, Mapping[str, float]], colours: Mapping[str, int]
) -> str:
    """The drawing; "" while there is nothing to draw.

    mixtures  checkpoint label → domain → share
    colours   domain → number of its colour class
    """
    boxes = {
        one.key: box for one in run.made if (box := _box(run, one, steps, mixtures, colours)) is not None
    }
    if not boxes:
        return ""
    parents = {key: _parents(run, box.made, boxes) for key, box in boxes.items()}
    columns = sorted({box.column for box in boxes.values()})
    for box in boxes.values():
        box.x = columns.index(box.column) * (WIDTH + GAP) + 1
    _stack(list(boxes.values()), parents, boxes)
    width = len(columns) * (WIDTH + GAP) - GAP + 20
    height = max(box.bottom for box in boxes.values()) + 24
    heads = [
        text(i * (WIDTH + GAP) + 2, 12, HEADS[column], class_="soft") for i, column in enumerate(columns)
    ]
    label = "The road taken: " + " → ".join(box.made.name for box in boxes.values())
    drawn = [_draw(box, colours) for box in boxes.values()]
    return drawing(width, height, ARROW, *heads, *_edges(boxes, parents), *drawn, label=label, class_="road")


ARROW = element(
    "defs",
    element(
        "marker",
        element("path", d="M0 0L8 4L0 8Z", class_="head"),
        id="arrow",
        viewBox="0 0 8 8",
        refX=7,
        refY=4,
        markerWidth=7,
        markerHeight=7,
        orient="auto-start-reverse",
    ),
)


def _box(
    run: Run,
    made: Made,
    steps: Sequence[Step],
    mixtures: Mapping[str, Mapping[str, float]],
    colours: Mapping[str, int],
) -> Box | None:
    if made.kind == "Checkpoint":
        column = PHASES if is_phase(made) else TUNED
        return Box(made, column, _model_lines(run, made, steps), mixtures.get(made.label, {}))
    if made.kind not in COLUMNS:
        return None
    return Box(made, COLUMNS[made.kind], _fact_lines(made), colour=colours.get(made.name))


def _model_lines(run: Run, made: Made, steps: Sequence[Step]) -> list[str]:
    facts = made.facts
    first = []
    tokens = run.own_tokens(made)
    if tokens:
        first.append(f"{format_count(tokens)} tokens")
    if "loss" in facts:
        first.append(f"loss {facts['loss']:.2f}")
    scored = [step for step in steps if step.model is made]
    second, third = [], []
    if scored:
        bits, share = scored[0].mean(bits=True), scored[-1].mean(bits=False)
        second += [f"{bits:.2f} bits a byte"] if bits is not None else []
        third += [f"{share:.0%} of items right"] if share is not None else []
    return [" · ".join(line) for line in (first, second, third) if line]


def _fact_lines(made: Made) -> list[str]:
    facts = made.facts
    lines = []
    if made.kind == "Tokenizer":
        lines = [f"{facts['vocabulary']} entries"] if "vocabulary" in facts else []
        if "bytes_per_token" in facts:
            lines.append(f"{facts['bytes_per_token']:.2f} bytes a token")
    elif made.kind == "DeviceModel":
        sizes = [(n, v) for n, v in facts.items() if n.endswith("_bytes") and isinstance(v, int | float)]
        lines = [f"{n.removesuffix('_bytes').replace('_', ' ', 1)} {format_bytes(v)}" for n, v in sizes[:4]]
    else:
        for name in ("documents", "conversations", "pairs"):
            if name in facts:
                size = f" · {format_bytes(facts['bytes'])}" if "bytes" in facts else ""
                lines.append(f"{format_count(facts[name])} {name}{size}")
        if facts.get("dropped"):
            lines.append(f"{format_count(facts['dropped'])} dropped")
    return lines


def _parents(run: Run, made: Made, boxes: Mapping[str, Box]) -> list[str]:
    found: dict[str, None] = {}
    for key in made.input_keys:
        other = run.by_key.get(key)
        if key in boxes:
            found[key] = None
        elif other is not None and other.kind in PASS_THROUGH:
            found |= dict.fromkeys(_parents(run, other, boxes))
    return list(found)


def _stack(ordered: list[Box], parents: Mapping[str, list[str]], boxes: Mapping[str, Box]) -> None:
    """Give every box its height in its column."""
    _column([b for b in ordered if b.column == PHASES], TOP, CHAIN_GAP)
    middle = [b for b in ordered if b.column == 1]
    upper = [b for b in middle if b.made.kind == "Corpus"] + [b for b in middle if b.made.kind == "Tokenizer"]
    _column(upper, TOP, ROW_GAP)
    _column([b for b in ordered if b.column == TUNED], TOP, CHAIN_GAP)
    children = {
        b.made.key: [
            c
            for c in ordered
            if b.made.key in parents[c.made.key] and c.column == 1 and c.made.kind != "Tokenizer"
        ]
        for b in ordered
    }
    sources = [b for b in ordered if b.column == 0]
    # A source stands beside the first thing made of it, so that most lines are straight.
    sources.sort(key=lambda b: min((c.middle for c in children[b.made.key]), default=1e9))
    lowest = TOP
    for box in sources:
        wanted = min((c.middle for c in children[box.made.key]), default=lowest) - box.height / 2
        box.y = max(lowest, wanted)
        lowest = box.bottom + ROW_GAP
    lowest = TOP
    for box in (b for b in ordered if b.column == 4):
        near = [boxes[key] for key in parents[box.made.key]]
        box.y = max(lowest, (near[0].middle - box.height / 2) if near else lowest)
        lowest = box.bottom + ROW_GAP


def _column(boxes: list[Box], top: float, gap: float) -> float:
    for box in boxes:
        box.y = top
        top = box.bottom + gap
    return top


def _edges(boxes: Mapping[str, Box], parents: Mapping[str, list[str]]) -> list[str]:
    lines: list[str] = []
    phases = [b for b in boxes.values() if b.column == PHASES]
    mixed = [key for key, b in boxes.items() if b.column == 1 and _feeds(key, PHASES, boxes, parents)]
    if phases and mixed:
        lines += _bus(
            [boxes[key] for key in mixed], [p for p in phases if set(parents[p.made.key]) & set(mixed)]
        )
    below = max((b.bottom for b in boxes.values() if b.column in (1, PHASES)), default=TOP) + 14
    for key, box in boxes.items():
        for parent in parents[key]:
            start = boxes[parent]
            if "Tokenizer" in (start.made.kind, box.made.kind) or (parent in mixed and box.column == PHASES):
                continue
            lines.append(_edge(start, box, boxes, below))
    return lines


def _feeds(key: str, column: int, boxes: Mapping[str, Box], parents: Mapping[str, list[str]]) -> bool:
    return any(key in parents[other] for other, box in boxes.items() if box.column == column)


def _bus(corpora: list[Box], phases: list[Box]) -> list[str]:
    x = corpora[0].right + GAP / 2
    ends = [box.middle for box in (*corpora, *phases)]
    lines = [_line(f"M{number(b.right)} {number(b.middle)}H{number(x)}", arrow=False) for b in corpora]
    lines += [_line(f"M{number(x)} {number(p.middle)}H{number(p.x - 2)}") for p in phases]
    bar = element(
        "line",
        title("tokens, mixed anew for each phase"),
        x1=x,
        x2=x,
        y1=min(ends),
        y2=max(ends),
        class_="bus",
    )
    return [*lines, bar]


def _edge(start: Box, end: Box, boxes: Mapping[str, Box], below: float) -> str:
    if start.column == end.column:
        return _vertical(start, end, boxes)
    if start.column < PHASES and end.column > PHASES and any(b.column == PHASES for b in boxes.values()):
        return _line(_lane(start, end, below))
    bend = max(GAP / 2, (end.x - start.right) / 2)
    return _line(
        f"M{number(start.right)} {number(start.middle)}C{number(start.right + bend)} {number(start.middle)} "
        f"{number(end.x - bend)} {number(end.middle)} {number(end.x - 2)} {number(end.middle)}"
    )


def _lane(start: Box, end: Box, below: float) -> str:
    """Down in the gap, along beneath everything, and up in the last gap; corners rounded."""
    out, turn, lane, into = start.right + GAP / 3, end.x - GAP / 2, max(start.middle, below), end.middle + 8
    down = min(8.0, (lane - start.middle) / 2)
    points = (
        ("M", start.right, start.middle),
        ("H", out - 8),
        ("Q", out, start.middle, out, start.middle + down),
        ("V", lane - down),
        ("Q", out, lane, out + 8, lane),
        ("H", turn - 8),
        ("Q", turn, lane, turn, lane - 8),
        ("V", into + 8),
        ("Q", turn, into, turn + 8, into),
        ("H", end.x - 2),
    )
    return "".join(f"{letter}{' '.join(map(number, values))}" for letter, *values in points)


def _vertical(start: Box, end: Box, boxes: Mapping[str, Box]) -> str:
    between = [b for b in boxes.values() if b.column == start.column and start.y < b.y < end.y]
    if not between:
        x = start.x + WIDTH / 2
        return _line(f"M{number(x)} {number(start.bottom)}V{number(end.y - 2)}")
    out = start.right + 16
    return _line(
        f"M{number(start.right)} {number(start.middle)}C{number(out)} {number(start.middle)} "
        f"{number(out)} {number(end.middle)} {number(end.right + 2)} {number(end.middle)}"
    )


def _line(data: str, *, arrow: bool = True) -> str:
    return element("path", d=data, class_="edge", **({"marker_end": "url(#arrow)"} if arrow else {}))


def _draw(box: Box, colours: Mapping[str, int]) -> str:
    x, y = box.x, box.y
    is_model = box.made.kind in ("Checkpoint", "DeviceModel")
    inside = [
        title(f"{box.made.label} ({box.made.folder.name})"),
        element(
            "rect", x=x, y=y, width=WIDTH, height=box.height, rx=7, class_="box model" if is_model else "box"
        ),
    ]
    if box.colour is not None:
        inside.append(
            element("rect", x=x, y=y + 5, width=4, height=box.height - 10, rx=2, class_=f"c{box.colour}")
        )
    inside.append(text(x + 12, y + 18, shortened(box.made.name, WIDTH - 20, 12.5), class_="name"))
    for index, line in enumerate(box.lines):
        inside.append(text(x + 12, y + 34 + 15 * index, shortened(line, WIDTH - 16, 11), class_="fact"))
    inside += _share_strip(box, colours)
    return element("g", *inside)


def _share_strip(box: Box, colours: Mapping[str, int]) -> list[str]:
    if not box.shares:
        return []
    at, room, total = box.x + 12, WIDTH - 24, sum(box.shares.values()) or 1.0
    parts = []
    for domain, share in box.shares.items():
        wide = room * share / total
        shown = element(
            "rect",
            title(f"{domain} {share:.0%}"),
            x=at,
            y=box.bottom - 15,
            width=max(0.0, wide - 1),
            height=7,
            class_=f"c{colours.get(domain, 0)}",
        )
        parts.append(shown)
        at += wide
    return parts
