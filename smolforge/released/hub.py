"""A released model from a hub at a pinned commit, through the hub client's own session.

The client begins a file anew with every call, so the bytes are fetched here: what came before the line was
cut is kept beside the model and gone on from, by this process or a later one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smolforge.errors import InputError, SmolError
from smolforge.released.cache import check_room
from smolforge.released.files import (
    TAKEN,
    Progress,
    Say,
    Taken,
    Unavailable,
    check_folder,
    git_blob,
    refuse_incomplete,
    sha256_of,
)
from smolforge.released.names import Released
from smolforge.units import format_bytes

Tick = Callable[[int, str], None]
TRIES = 5
"""Attempts without a new byte before a download is given up. Chosen, untested."""
ANSWER_SECONDS = 30.0
PASSING = (429, 500, 502, 503, 504)


@dataclass(frozen=True)
class HubFile:
    """A file the hub lists: `sha256` is empty where it gives none, `blob` is the git digest of a small file."""

    name: str
    size_bytes: int
    sha256: str
    blob: str


def take(model: Released, partial: Path, say: Say, progress: Progress) -> Taken:
    """Fetch what is missing of the model's files into a folder of `partial`, which a later call goes on from.

    Raises Unavailable (no network, gated, unknown repository or commit), InputError (no safetensors, damaged)
    and StageError (no room on the disk).
    """
    with _hub_errors(model):
        commit, files, others = _listed(model)
        total_bytes = sum(one.size_bytes for one in files)
        if model.revision is None:
            say(f"no commit of {model.repo} is pinned here: taking the hub's of today, {commit}")
        left = f"; {others} others stay there (no pickles, no code)" if others else ""
        say(
            f"from the hub, {model.repo} at {commit[:12]}: {len(files)} files, {format_bytes(total_bytes)}{left}"
        )
        folder = partial / f"{model.name}@{commit[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        have = {one.name: _bytes_here(folder, one) for one in files}
        check_room(folder, total_bytes - sum(have.values()))
        digests = {}
        for one in sorted(files, key=lambda one: one.size_bytes):
            tick = _ticker(progress, sum(have.values()) - have[one.name], total_bytes)
            digests[one.name] = _fetch(model, commit, one, folder, tick)
            have[one.name] = one.size_bytes
    check_folder(folder, digests, model.family)
    return Taken(folder, digests, commit, f"the hub, {model.repo} at {commit[:12]}")


def _ticker(progress: Progress, before_bytes: int, total_bytes: int) -> Tick:
    return lambda done, note: progress(before_bytes + done, total_bytes, "bytes", note)


def _listed(model: Released) -> tuple[str, list[HubFile], int]:
    """The commit, the files to take at it, and how many others the repository has."""
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(
            model.repo, revision=model.revision, files_metadata=True, timeout=ANSWER_SECONDS
        )
        listed = [(str(one.rfilename), one.size, one.lfs, one.blob_id) for one in info.siblings or []]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unavailable(
            f"the hub's answer cannot be read ({type(error).__name__})",
            where=model.repo,
            fix="check HF_ENDPOINT",
        ) from None
    commit = str(info.sha)
    if not re.fullmatch(r"[0-9a-f]{40}", commit) or model.revision not in (None, commit):
        raise InputError(
            f"the hub answers with commit {commit[:40]}, not the pinned {model.revision}",
            where=model.repo,
            fix="use another hub (HF_ENDPOINT)",
        )
    files = [
        HubFile(name, _size(name, size), lfs.sha256 if lfs else "", "" if lfs else str(blob or ""))
        for name, size, lfs, blob in listed
        if TAKEN.fullmatch(name)
    ]
    refuse_incomplete([one.name for one in files], [name for name, *_ in listed], model.repo)
    return commit, files, len(listed) - len(files)


def _size(name: str, size: Any) -> int:
    if not isinstance(size, int) or size < 0:
        raise InputError(f"the hub does not say how large `{name}` is", fix="use another hub (HF_ENDPOINT)")
    return size


def _bytes_here(folder: Path, one: HubFile) -> int:
    for file in (folder / one.name, folder / f"{one.name}.part"):
        if file.is_file():
            return min(file.stat().st_size, one.size_bytes)
    return 0


def _fetch(model: Released, commit: str, one: HubFile, folder: Path, tick: Tick) -> str:
    """Fetch one file, or what is missing of it, and compare its digest; gives its SHA-256."""
    ready, part = folder / one.name, folder / f"{one.name}.part"
    if ready.is_file():
        ready.replace(part)  # of an earlier pull that did not end: compared again
    resumed = part.is_file() and part.stat().st_size > 0
    _download(model, commit, one, part, tick)
    tick(one.size_bytes, f"checking {one.name}")
    sha256 = sha256_of(part)
    if (one.sha256 or sha256) == sha256 and (not one.blob or one.blob == git_blob(part)):
        part.replace(ready)
        return sha256
    part.unlink()
    if resumed:  # what was here may have been the damaged part
        return _fetch(model, commit, one, folder, tick)
    raise InputError(
        f"`{one.name}` arrived damaged: its digest is not the one the hub lists",
        where=f"{model.repo}@{commit}",
        fix=f"`smol pull {model.name}` fetches it again; if it stays so, use another hub (HF_ENDPOINT)",
    )


def _download(model: Released, commit: str, one: HubFile, part: Path, tick: Tick) -> None:
    """Fetch until the file has its size; after a cut, go on from the last byte."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if part.exists() and part.stat().st_size > one.size_bytes:
        part.unlink()
    part.touch()
    tries = 0
    while (have := part.stat().st_size) < one.size_bytes:
        try:
            tick(have, one.name if not tries else f"{one.name}: cut off, going on")
            _stream(model, commit, one, part, tick)
        except (httpx2.TransportError, HfHubHTTPError) as error:
            passing = not isinstance(error, HfHubHTTPError) or error.response.status_code in PASSING
            tries = 1 if part.stat().st_size > have else tries + 1
            if not passing or tries >= TRIES:
                raise
            time.sleep(tries / 2)


def _stream(model: Released, commit: str, one: HubFile, part: Path, tick: Tick) -> None:
    """Append what is missing of a file; a server that does not know `Range` sends it from the start."""
    import httpx2
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    have = part.stat().st_size
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    url = hf_hub_url(model.repo, one.name, revision=commit)
    with get_session().stream("GET", url, headers=headers, timeout=ANSWER_SECONDS) as answer:
        hf_raise_for_status(answer)
        with part.open("ab" if answer.status_code == 206 else "wb") as out:
            for block in answer.iter_raw():
                if out.tell() + len(block) > one.size_bytes:
                    out.truncate(0)
                    raise InputError(f"the hub sends more of `{one.name}` than it lists", where=model.repo)
                out.write(block)
                tick(out.tell(), one.name)
            if out.tell() < one.size_bytes:
                raise httpx2.ReadError("the answer ended early")


@contextmanager
def _hub_errors(model: Released) -> Iterator[None]:
    """Turn what the hub's client raises into one clear message."""
    import httpx2
    from huggingface_hub import errors

    where = f"{model.repo}@{model.revision or 'its current commit'}"
    try:
        yield
    except (errors.OfflineModeIsEnabled, httpx2.RequestError, httpx2.InvalidURL, ConnectionError) as error:
        raise Unavailable(
            f"the hub cannot be reached ({error or type(error).__name__})",
            where=where,
            fix="connect and repeat the command: it goes on from what has arrived; or use `--from FOLDER`",
        ) from None
    except errors.HfHubHTTPError as error:
        raise _refusal(error, model, where) from None


def _refusal(error: Any, model: Released, where: str) -> SmolError:
    from huggingface_hub import constants, errors

    denied = error.response.status_code in (401, 403)
    if isinstance(error, errors.GatedRepoError) or (model.gated and denied):
        return Unavailable(
            f"{model.repo} is gated: its licence ({model.licence}) has to be accepted first",
            where=where,
            fix=f"accept it at {constants.ENDPOINT}/{model.repo}, then set HF_TOKEN to a token of that account",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        what, fix = "the hub no longer has the pinned commit", "use another hub (HF_ENDPOINT), or `--from`"
    elif isinstance(error, errors.RepositoryNotFoundError):
        what, fix = f"the hub has no repository {model.repo}", "check HF_ENDPOINT and HF_TOKEN"
    else:
        lines = [line for line in str(error).splitlines() if line.strip()]
        what, fix = f"the hub refuses: {lines[0][:200] if lines else error!r}", "try again later, or `--from`"
    return Unavailable(what, where=where, fix=fix)
