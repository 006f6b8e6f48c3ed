"""The engine as a WebAssembly module, compiled once by `ziglang` (clang with WebAssembly's C library in one wheel)."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tempfile
from pathlib import Path

from smolforge.compiled import CompileError, cache_folder, is_whole, publish, run_compiler
from smolforge.device.engine.build import HERE as ENGINE
from smolforge.device.engine.build import LANES
from smolforge.device.engine.build import SOURCES as ENGINE_SOURCES
from smolforge.errors import InputError

SOURCE = Path(__file__).with_name("module.c")
EXPORTS = (
    "engine_new", "engine_free", "engine_matrix", "engine_vector", "engine_table", "engine_still", "engine_step",
    "engine_knows", "malloc", "free",
)  # fmt: skip
FLAGS = ("-target", "wasm32-wasi", "-mexec-model=reactor", "-mcpu=generic+simd128", "-std=gnu11", "-O3", "-s",
         "-fno-math-errno", "-fno-trapping-math", "-fno-strict-aliasing", f"-I{LANES.parent}", f"-I{ENGINE}",
         *(f"-Wl,--export={name}" for name in EXPORTS))  # fmt: skip


def module() -> bytes:
    """The module, which imports nothing; raises InputError where it cannot be compiled."""
    if importlib.util.find_spec("ziglang") is None:
        raise InputError(
            "browsers need the engine compiled to WebAssembly, and its compiler is not installed",
            fix="pip install 'smolforge[browser]'",
        )
    digest = hashlib.sha256("\0".join(FLAGS).encode())
    for source in (SOURCE, LANES, *(ENGINE / name for name in ENGINE_SOURCES)):
        digest.update(source.read_bytes())
    ready = cache_folder() / f"engine-{digest.hexdigest()[:16]}.wasm"
    if not is_whole(ready):
        with tempfile.TemporaryDirectory(dir=ready.parent) as scratch:
            made = Path(scratch) / "engine.wasm"
            command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, str(SOURCE), "-o", str(made)]
            try:
                run_compiler(command)
            except CompileError as error:
                raise InputError(
                    f"the engine cannot be compiled for browsers: {error}",
                    fix="pip install --force-reinstall ziglang",
                ) from None
            publish(made, ready)
    return ready.read_bytes()
