"""The C kernels as a loaded library: compiled for this machine on first use, then taken from a cache.

The cache lies in `$SMOL_CACHE`, else `$XDG_CACHE_HOME/smolforge`, else `~/.cache/smolforge`; a library is
named after the hash of its source, flags, compiler and processor, so that a shared home folder never hands
one machine's instructions to another. It is written beside and renamed, so processes may build at once.

`SMOL_KERNELS=torch` forbids the C path, `SMOL_KERNELS=c` makes its absence an error, and
`SMOL_KERNELS_MARCH` replaces `native` (`x86-64-v3` for AVX2, say).
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from smolforge.compiled import (
    CompileError,
    cache_folder,
    find_compiler,
    is_whole,
    processor,
    publish,
    run_compiler,
)
from smolforge.errors import ConfigError, MissingExtra

KINDS = ("F32", "BF16", "F16")
SOURCES = {"layers.c": KINDS, "attention.c": KINDS, "reading.c": KINDS, "products.c": ("F16",)}
"""Each C file, and the kinds of elements it is compiled for."""
HEADERS = ("lanes.h", "tiles.h")
FLAGS = (
    "-std=gnu11",
    "-O3",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-strict-aliasing",  # one block of scratch is read as floats, halves and units by turns
)


@dataclass(frozen=True)
class Built:
    """A loaded library, or none; `reason` says why there is none, or why it is slower than it could be."""

    library: ctypes.CDLL | None
    reason: str
    compiler: str = ""
    flags: str = ""


@functools.cache
def built() -> Built:
    """The library of this process; compiled, loaded and decided once."""
    wish = os.environ.get("SMOL_KERNELS", "auto")
    if wish not in ("auto", "c", "torch"):
        raise ConfigError(f"SMOL_KERNELS is `{wish}`", where="the environment", fix="use auto, c or torch")
    if wish == "torch":
        return Built(None, "SMOL_KERNELS=torch")
    try:
        state = _build()
    except (CompileError, OSError) as error:
        if wish == "c":
            raise MissingExtra(
                f"the C kernels could not be built: {error}",
                where="SMOL_KERNELS=c",
                fix="install a C compiler (gcc or clang), or set SMOL_KERNELS=auto",
            ) from None
        told = f"CPU training runs in plain PyTorch, several times slower: {error}. Install gcc or clang"
        state = Built(None, told)
    if state.reason:
        warnings.warn(state.reason, stacklevel=2)
    return state


def _build() -> Built:
    compiler = find_compiler()
    version = run_compiler([compiler, "--version"]).splitlines()[0]
    march = os.environ.get("SMOL_KERNELS_MARCH", "native")
    folder = Path(__file__).parent
    openmp = _openmp_runtime()
    digest = hashlib.sha256()
    for part in (
        *FLAGS,
        version,
        march,
        openmp,
        processor(),
        *((folder / s).read_text() for s in (*HEADERS, *SOURCES)),
    ):
        digest.update(part.encode() + b"\0")
    ready = cache_folder() / f"kernels-{digest.hexdigest()[:16]}.so"
    if not is_whole(ready):
        with tempfile.TemporaryDirectory(dir=ready.parent) as scratch:
            publish(_compile_somehow(compiler, march, openmp, folder, Path(scratch)), ready)
    library = _declare(ctypes.CDLL(str(ready)))
    return Built(library, _threads_missing(library), version, f"-march={march}")


def _threads_missing(library: ctypes.CDLL) -> str:
    cores = os.cpu_count() or 1
    if library.has_threads() or cores == 1:
        return ""
    return (
        f"the C kernels run on one thread of {cores}: the compiler refused OpenMP, or PyTorch brought none. "
        "Install gcc, and a PyTorch from its usual wheels"
    )


def _openmp_runtime() -> str:
    """The OpenMP library that PyTorch has loaded: with a second one, two sets of threads would fight for the cores."""
    torch.get_num_threads()
    beside = (Path(torch.__file__).parent / "lib").glob("lib*omp*")
    names = [
        name for name in [*sorted(_loaded_libraries()), *sorted(map(str, beside))] if Path(name).is_file()
    ]
    return next((n for n in names if Path(n).name.startswith(("libgomp", "libiomp", "libomp"))), "")


def _loaded_libraries() -> list[str]:
    """Paths of this process's shared libraries as the dynamic linker holds them, whatever characters are in them."""
    program, found = ctypes.CDLL(None), []
    if hasattr(program, "dl_iterate_phdr"):

        def note(info: Any, _size: int, _data: Any) -> int:
            found.append(os.fsdecode(info.contents.name or b""))
            return 0

        visit = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Loaded), ctypes.c_size_t, ctypes.c_void_p)
        program.dl_iterate_phdr(visit(note), None)
    elif hasattr(program, "_dyld_image_count"):  # macOS
        program._dyld_get_image_name.restype = ctypes.c_char_p
        images = range(program._dyld_image_count())
        found += [os.fsdecode(program._dyld_get_image_name(image) or b"") for image in images]
    return found


class _Loaded(ctypes.Structure):
    """The beginning of `dl_phdr_info`, see dl_iterate_phdr(3)."""

    _fields_ = (("base", ctypes.c_void_p), ("name", ctypes.c_char_p))


def _compile_somehow(compiler: str, march: str, openmp: str, folder: Path, scratch: Path) -> Path:
    """Compile with the machine's instructions and threads; give up threads, then instructions, if refused."""
    machine = (f"-march={march}", f"-mcpu={march}") if march == "native" else (f"-march={march}",)
    attempts = [(m, t) for m in machine for t in ("-fopenmp", "") if openmp or not t]
    errors = []
    for target, threads in attempts:
        try:
            return _compile(
                compiler, [*FLAGS, target, *([threads] if threads else [])], openmp, folder, scratch
            )
        except CompileError as error:
            errors.append(error)
    raise errors[0]


def _compile(compiler: str, flags: list[str], openmp: str, folder: Path, scratch: Path) -> Path:
    objects = []
    for source, kinds in SOURCES.items():
        for kind in kinds:
            made = str(scratch / f"{source}-{kind}.o")
            run_compiler([compiler, *flags, f"-DKIND={kind}", "-c", str(folder / source), "-o", made])
            objects.append(made)
    out = scratch / "kernels.so"
    runtime = [openmp] if "-fopenmp" in flags else []
    run_compiler([compiler, "-shared", "-o", str(out), *objects, *runtime, "-lm"])
    return out


class AttentionCall(ctypes.Structure):
    """`Attention` of attention.c, field by field."""

    _fields_ = (
        *((name, ctypes.c_long) for name in ("batch", "length", "heads", "kv_heads", "width")),
        *((name, ctypes.c_long) for name in ("q_row", "k_row", "v_row", "q_batch", "k_batch", "v_batch")),
        *((name, ctypes.c_void_p) for name in ("q", "k", "v", "cosines", "sines", "positions", "starts")),
        *((name, ctypes.c_void_p) for name in ("out", "lse", "dout", "dq", "dk", "dv")),
        ("threads", ctypes.c_long),
    )


class ReadingCall(ctypes.Structure):
    """`Reading` of reading.c, field by field."""

    _fields_ = (
        *(
            (name, ctypes.c_long)
            for name in ("rows", "length", "heads", "kv_heads", "width", "capacity", "table")
        ),
        *((name, ctypes.c_void_p) for name in ("packed", "cosines", "sines", "q_norm", "k_norm", "first")),
        *((name, ctypes.c_void_p) for name in ("keys", "values", "out")),
        ("eps", ctypes.c_float),
        ("threads", ctypes.c_long),
    )


_KINDS = {"p": ctypes.c_void_p, "l": ctypes.c_long, "f": ctypes.c_float, "i": ctypes.c_int}
_TYPED = {
    "rms_norm": "pppfllpppi",
    "rms_norm_backward": "pppppllpppi",
    "swiglu": "pllpi",
    "swiglu_backward": "ppllpi",
    "cross_entropy": "pppffllipppi",
    "logprob_backward": "ppppflli",
    "embedding_backward": "ppllpi",
    "attention": "p",
    "attention_backward": "p",
    "stream_norm": "pppfllpi",
    "place_heads": "p",
    "cached_attention": "p",
}
_PLAIN = {"adamw": "pppplfffffffi", "square_sums": "plpi", "attention_check": "pplll"}
_PLAIN |= {
    "lanes": "",
    "bf16_instructions": "",
    "matrix_registers": "",
    "f16_instructions": "",
    "has_threads": "",
}
_HALVES = {"pack_weight": "pllllppi", "product": "pplllppi", "outer_product": "pplllpi"}


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    library.f16_instructions.restype = ctypes.c_int
    halves = bool(library.f16_instructions())
    signatures = _PLAIN | (_HALVES if halves else {})
    for name, kinds in _TYPED.items():
        signatures |= {f"{name}_{kind}": kinds for kind in ("f32", "bf16", *(["f16"] if halves else []))}
    for name, kinds in signatures.items():
        function = getattr(library, name)
        function.argtypes = [_KINDS[kind] for kind in kinds]
        function.restype = ctypes.c_int
    return library


def describe() -> dict[str, str]:
    """Which path runs, with which instructions, and why."""
    state = built()
    if state.library is None:
        held_back = slowdown()
        return {"path": "torch", "reason": state.reason} | ({"slow": held_back} if held_back else {})
    vectors = f"{32 * state.library.lanes()}-bit vectors"
    dots = ", bf16 dot products" if state.library.bf16_instructions() else ""
    dots += ", bf16 matrix registers" if state.library.matrix_registers() else ""
    dots += ", fp16 products" if state.library.f16_instructions() else ""
    threads = "OpenMP" if state.library.has_threads() else "one thread"
    return {
        "path": "c",
        "compiler": state.compiler,
        "flags": state.flags,
        "runs": f"{vectors}{dots}, {threads}",
        **({"slow": held_back} if (held_back := slowdown()) else {}),
    }


def slowdown() -> str:
    """Why this process trains slower than the machine could; empty where nothing holds it back or the user chose so."""
    return "" if os.environ.get("SMOL_KERNELS") == "torch" else built().reason
