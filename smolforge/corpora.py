"""What a user can ask of a corpus by its name."""

from __future__ import annotations

from pathlib import Path

from smolforge.errors import InputError
from smolforge.log import terminal_width
from smolforge.store import Store

PLAIN_WIDTH = 100


def look_at_corpus(name: str, page: Path | None, lab: Path) -> str:
    """What curation kept and dropped, as text; and as a page where one is asked for."""
    from smolforge.report import corpus as views

    folder, raw = _folder_of(name, lab)
    if not list(folder.glob("documents-*.parquet")) or not list(folder.glob("dropped-*.parquet")):
        raise InputError("this is no curated corpus", where=str(folder), fix="name one that `curate` made")
    look = views.look_at(folder, name, raw)
    text = views.as_text(look, terminal_width() or PLAIN_WIDTH)
    if page is None:
        return text
    views.write_page(look, page)
    return f"{text}\n\nwrote {page}"


def _folder_of(name: str, lab: Path) -> tuple[Path, list[Path]]:
    """The corpus's folder, and those of the raw documents it was made from, where they are at hand."""
    if Path(name).is_dir():
        return Path(name), []
    store = Store(lab)
    corpus = store.find(name)
    tree = store.lineage(corpus)
    folders = [
        lab / "artifacts" / one.name for part, one in tree.inputs.items() if part.split(".")[0] == "raw"
    ]
    return corpus.path, [folder for folder in folders if folder.is_dir()]
