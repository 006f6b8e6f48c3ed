"""A model on its way out: which files, proven equal, copied whole into a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from smolforge.artifacts import Checkpoint, DeviceModel, Tokenizer
from smolforge.errors import ConfigError, InputError
from smolforge.models import Outside, find_model, model_and_tokenizer
from smolforge.store import Store
from smolforge.units import format_bytes, parse_bytes

if TYPE_CHECKING:
    from smolforge.device.gguf import Quantisation

BEST_FIRST: tuple[Quantisation, ...] = ("f16", "q8_0", "q4_1", "q4_0")
"""What `--for` chooses from, the most precise first."""
ALWAYS = ("parity.json", "loss.json")
FOR_PAGES: tuple[Quantisation, ...] = ("q8_0", "q4_0")
LARGEST_PAGE_FILE = "200 MB"
HOW_TO_OPEN = """\
open it from any web server: python -m http.server --bind 127.0.0.1 --directory {folder}
from https or this machine it keeps the model and opens without a network; opened by double click it asks for model.gguf"""


def export_model(name: str, folder: Path, lab: Path, *, files: str = "", limit: str = "") -> str:
    """Copy the proven export of a model into `folder`, making it first where there is none.

    files  the GGUF files wanted, `q8_0,q4_0` say; then they alone are copied, without the folder for transformers
    limit  the largest file wanted, `100 MB` say: the most precise that is no larger is made
    """
    _refuse_taken(folder)
    if files and limit:
        raise ConfigError("`--for` and `--files` both say which files", fix="give one of them")
    named, most_bytes = _named(files), parse_bytes(limit) if limit else 0
    found = find_model(name, lab)
    if isinstance(found, DeviceModel) and not files and not limit:
        return _copied(found, folder, None)
    store = Store(lab, "export")
    checkpoint, tokenizer = model_and_tokenizer(store, name)
    called = found.name if isinstance(found, Outside) else name.strip("/")
    called = called.removesuffix(".gguf").rpartition("/")[2]
    wanted = _that_fits(checkpoint, tokenizer, most_bytes) if limit else named
    made = _exported(store, called, checkpoint, tokenizer, wanted)
    return _copied(made, folder, wanted)


def export_page(name: str, folder: Path, lab: Path, *, files: str = "", limit: str = "") -> str:
    """Write a page that runs the model in a browser into `folder`; the model's file is proven equal first.

    A `.gguf` file is taken as it is. `files` names one type, `limit` the largest file; by default the most precise of
    q8_0 and q4_0 that is no larger than LARGEST_PAGE_FILE.
    """
    from smolforge.device.browser.build import module
    from smolforge.device.browser.folder import write_folder

    _refuse_taken(folder)
    named, most_bytes = _named(files), parse_bytes(limit or LARGEST_PAGE_FILE)
    if named and (limit or len(named) > 1):
        raise ConfigError("a page holds one file", fix="name one by `--files`, or give `--for`")
    module()  # what is missing for it is said before a model is made
    found = find_model(name, lab)
    called = found.name if isinstance(found, Outside) else name.strip("/")
    called = called.removesuffix(".gguf").rpartition("/")[2]
    if isinstance(found, Outside) and found.place.suffix == ".gguf" and not files and not limit:
        file, lost = found.place, []
    else:
        store = Store(lab, "export")
        checkpoint, tokenizer = model_and_tokenizer(store, name)
        choices = BEST_FIRST if limit else FOR_PAGES
        (kind,) = named or _that_fits(checkpoint, tokenizer, most_bytes, choices)
        made = _exported(store, called, checkpoint, tokenizer, (kind,))
        file, lost = made.path / f"model-{kind}.gguf", _losses(made.path, f"model-{kind}.gguf")
    _put_whole(folder, lambda part: write_folder(file, called, part))
    return "\n".join([f"wrote {folder}: {_listed(folder)}", *lost, HOW_TO_OPEN.format(folder=folder)])


def _refuse_taken(folder: Path) -> None:
    if folder.is_file():
        raise InputError("the target is a file", where=str(folder), fix="name a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError("the target folder is not empty", where=str(folder), fix="name a new folder")


def _listed(folder: Path) -> str:
    return ", ".join(sorted(p.name for p in folder.iterdir()))


def _named(files: str) -> tuple[Quantisation, ...] | None:
    from smolforge.device.gguf import Quantisation

    known = get_args(Quantisation)
    names = [name.strip().lower() for name in files.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no file type `{name}`", fix=f"use some of {', '.join(known)}")
    return tuple(dict.fromkeys(names)) or None  # type: ignore[arg-type]


def _that_fits(
    model: Checkpoint, tokenizer: Tokenizer, most_bytes: int, choices: Sequence[Quantisation] = BEST_FIRST
) -> tuple[Quantisation, ...]:
    from smolforge.device.gguf import sizes_of

    sizes = sizes_of(model.path, tokenizer.path, choices)
    fitting = [kind for kind, size in sizes.items() if size <= most_bytes]
    if not fitting:
        smallest = min(sizes, key=lambda kind: sizes[kind])
        raise InputError(
            f"no file of this model is as small as {format_bytes(most_bytes)}: {smallest} takes about {format_bytes(sizes[smallest])}",
            fix="allow more, or train a smaller model (`smol plan`)",
        )
    return (fitting[0],)


def _exported(
    store: Store,
    called: str,
    model: Checkpoint,
    tokenizer: Tokenizer,
    wanted: Sequence[Quantisation] | None,
) -> DeviceModel:
    from smolforge.device.stages import ExportConfig, export

    cfg = ExportConfig(name=called)
    if wanted is not None:  # f32 is what the proof needs; it is copied where it was asked for
        cfg = ExportConfig(name=called, quantisations=tuple(dict.fromkeys(("f32", *wanted))))
    return store.run(export, cfg, label=f"{called}/export", model=model, tokenizer=tokenizer)


def _copied(made: DeviceModel, folder: Path, wanted: Sequence[Quantisation] | None) -> str:
    names = None if wanted is None else {f"model-{kind}.gguf" for kind in wanted} | {*ALWAYS}
    _copy_whole(made.path, folder, names)
    return "\n".join([f"wrote {folder}: {_listed(folder)}", *_losses(folder)])


def _losses(folder: Path, only: str = "") -> list[str]:
    """A line for every file, or for that one: its size, and what it has lost."""
    try:
        told = json.loads((folder / "loss.json").read_text("utf-8"))
    except FileNotFoundError:  # made by an earlier version
        return []
    lines = [f"lost against the trained model, nats a token over {told['rows']} rows of {told['texts']}:"]
    for one in told["files"]:
        if (folder / one["file"]).is_file() and only in ("", one["file"]):
            value, low, high = one["loss"]
            bounds = "" if low is None else f" [{low:+.4f}, {high:+.4f}]"
            size = format_bytes(one["bytes"])
            lines.append(
                f"  {one['file']:18} {size:>9}   {value:+.4f}{bounds}, perplexity {one['perplexity']:g}"
            )
    return lines


def _copy_whole(source: Path, folder: Path, names: set[str] | None) -> None:
    """Copy a folder, or the files named of it."""

    def write(part: Path) -> None:
        if names is None:
            shutil.copytree(source, part, dirs_exist_ok=True)
        for name in sorted(names or ()):
            shutil.copy2(source / name, part / name)

    _put_whole(folder, write)


def _put_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Write beside the target and put it there at once, so that no half of a model is ever taken for one."""
    part = folder.with_name(f".{folder.name}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        write(part)
        if folder.is_dir():
            folder.rmdir()  # an empty one may be there already
        part.replace(folder)
    except (OSError, shutil.Error) as error:
        why = (
            error.strerror if isinstance(error, OSError) and error.strerror else "is there room on the disk?"
        )
        raise InputError(
            f"the model cannot be written there: {why}", where=str(folder), fix="name another folder"
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
