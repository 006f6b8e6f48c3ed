"""The engine as a loaded library, compiled for this machine on first use (`smolforge.compiled` says where it is kept).

`SMOL_ENGINE_MARCH` replaces `native` (`x86-64-v3` for AVX2, say).
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import tempfile
from pathlib import Path

from smolforge.compiled import cache_folder, find_compiler, is_whole, processor, publish, run_compiler

HERE = Path(__file__).parent
LANES = HERE.parents[1] / "kernels" / "lanes.h"
SOURCES = ("engine.c", "products.h", "formats.h", "team.h")
FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math",
         "-fno-strict-aliasing", "-pthread", f"-I{LANES.parent}")  # fmt: skip


class Shape(ctypes.Structure):
    """`Shape` of engine.c, field by field."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("layers", "width", "heads", "kv_heads", "head_width")),
        *((name, ctypes.c_int32) for name in ("inner", "vocabulary", "slots", "capacity")),
        ("eps", ctypes.c_float),
    )


@functools.cache
def library() -> ctypes.CDLL:
    """The engine; raises CompileError where there is no compiler, or one that refuses it."""
    compiler, march = find_compiler(), os.environ.get("SMOL_ENGINE_MARCH", "native")
    version = run_compiler([compiler, "--version"]).splitlines()[0]
    digest = hashlib.sha256()
    for part in (
        *FLAGS,
        version,
        march,
        processor(),
        *((HERE / s).read_text() for s in SOURCES),
        LANES.read_text(),
    ):
        digest.update(part.encode() + b"\0")
    ready = cache_folder() / f"engine-{digest.hexdigest()[:16]}.so"
    if not is_whole(ready):
        with tempfile.TemporaryDirectory(dir=ready.parent) as scratch:
            made = Path(scratch) / "engine.so"
            run_compiler(
                [
                    compiler,
                    *FLAGS,
                    f"-march={march}",
                    "-shared",
                    str(HERE / "engine.c"),
                    "-o",
                    str(made),
                    "-lm",
                ]
            )
            publish(made, ready)
    return _declared(ctypes.CDLL(str(ready)))


_KINDS = {"p": ctypes.c_void_p, "l": ctypes.c_long, "i": ctypes.c_int}
_FUNCTIONS = {
    "engine_matrix": "piiillpp",
    "engine_vector": "piipl",
    "engine_table": "pip",
    "engine_still": "pi",
    "engine_step": "plppppp",
    "engine_copy": "plll",
    "engine_threads": "p",
    "engine_vnni": "",
}


def _declared(loaded: ctypes.CDLL) -> ctypes.CDLL:
    for name, kinds in _FUNCTIONS.items():
        getattr(loaded, name).argtypes = [_KINDS[kind] for kind in kinds]
    loaded.engine_new.argtypes = [ctypes.POINTER(Shape), ctypes.c_int, ctypes.c_long]
    loaded.engine_new.restype = ctypes.c_void_p
    loaded.engine_free.argtypes = [ctypes.c_void_p]
    loaded.engine_free.restype = None
    return loaded
