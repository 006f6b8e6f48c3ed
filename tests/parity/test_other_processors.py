"""The C kernels built for processors and by compilers other than this machine's: the same numbers, to rounding.

ARM is cross-compiled by `ziglang` (clang) and run by qemu's user emulation; clang builds for this machine too. What is
missing here skips with a reason. The build to compare with is this machine's own, which test_kernels.py holds
against PyTorch. Emulation says nothing of speed.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from smolforge.kernels.build import FLAGS, HEADERS, SOURCES

KERNELS = Path(__file__).resolve().parents[2] / "smolforge" / "kernels"
ENGINE = KERNELS.parent / "device" / "engine"
PROGRAM = Path(__file__).with_name("every_kernel.c")
TOLERANCE = {"F32": 1e-5, "BF16": 1.6e-2, "F16": 4e-3}
NO_HALVES = 77
ZIG = (sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-musl")
ARM = {"cortex_a72": ("F32", "BF16"), "neoverse_v1": ("F32", "BF16", "F16")}
"""ARM processors to build for, and the kinds of elements each runs: the first has no arithmetic of halves."""


def _build(compiler: tuple[str, ...], kind: str, folder: Path) -> Path:
    """The program for one kind of element, with the flags of the product; no threads."""
    sources = [KERNELS / name for name, kinds in SOURCES.items() if kind in kinds]
    out = folder / f"every_kernel-{kind}"
    command = [*compiler, *FLAGS, f"-DKIND={kind}", f"-I{KERNELS}", PROGRAM, *sources, "-lm", "-o", out]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return out


def _values(command: list[str | Path]) -> dict[str, list[float]] | None:
    """What the program printed, by result; None where the processor lacks arithmetic of halves."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode == NO_HALVES:
        return None
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])
    lines = [line.split() for line in done.stdout.splitlines()]
    return {name: [float(value) for value in values] for name, *values in lines}


def _assert_equal(got: dict[str, list[float]], wanted: dict[str, list[float]], tolerance: float) -> None:
    for name, values in wanted.items():
        bound = tolerance * max(0.02, *map(abs, values))
        assert len(got[name]) == len(values) > 0, name
        assert max(abs(g - w) for g, w in zip(got[name], values, strict=True)) <= bound, name


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[float]]]:
    """This machine's own results, in floats: the other kinds are these to their rounding."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        pytest.skip("no compiler here")
    program = _build((compiler, "-march=native"), "F32", tmp_path_factory.mktemp("native"))
    values = _values([program])
    assert values and len(values) > 15
    return {"F32": values}


def _compare(program: Path, run: tuple[str, ...], kind: str, here: dict[str, dict[str, list[float]]]) -> None:
    got = _values([*run, program])
    assert got is not None
    if kind == "F32":
        _assert_equal(got, here["F32"], TOLERANCE["F32"])
        return
    shared = {name: values for name, values in here["F32"].items() if name in got}
    assert len(shared) > 12
    _assert_equal(got, shared, 4 * TOLERANCE[kind])


@pytest.mark.slow
@pytest.mark.parametrize(("processor", "kind"), [(p, k) for p, kinds in ARM.items() for k in kinds])
def test_arm(processor: str, kind: str, here, tmp_path: Path) -> None:
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("no cross compiler (`pip install ziglang`)")
    if not emulator:
        pytest.skip("no emulator of ARM (Debian: qemu-user-static)")
    program = _build((*ZIG, f"-mcpu={processor}"), kind, tmp_path)
    _compare(program, (emulator, "-cpu", "max"), kind, here)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["F32", "BF16"])
@pytest.mark.parametrize("march", ["native", "x86-64-v3", "x86-64"])
def test_clang(march: str, kind: str, here, tmp_path: Path) -> None:
    compiler = shutil.which("clang") or shutil.which("clang-14")
    if not compiler:
        pytest.skip("no clang here")
    if march != "native" and platform.machine() != "x86_64":
        pytest.skip("instructions of another processor")
    if march == "x86-64-v3" and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this machine lacks the instructions")
    _compare(_build((compiler, f"-march={march}"), kind, tmp_path), (), kind, here)


@pytest.mark.slow
def test_macos_compiles(tmp_path: Path) -> None:
    """Apple's processors: the kernels compile; nobody has run them there yet."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("no cross compiler (`pip install ziglang`)")
    zig = (sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-macos", "-mcpu=apple_m1")
    for name, kinds in SOURCES.items():
        for kind in kinds:
            out = tmp_path / f"{name}-{kind}.o"
            command = [*zig, *FLAGS, "-Wall", f"-DKIND={kind}", "-c", str(KERNELS / name), "-o", str(out)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0 and out.stat().st_size, done.stderr[-1000:]
    assert all((KERNELS / header).is_file() for header in HEADERS)


def _engine_step(
    compiler: tuple[str, ...], folder: Path, run: tuple[str, ...] = ()
) -> dict[str, list[float]]:
    """Logits by type of matrix, from the engine as this compiler builds it."""
    out = folder / "engine_step"
    program = Path(__file__).with_name("engine_step.c")
    command = [
        *compiler,
        *FLAGS,
        "-pthread",
        f"-I{KERNELS}",
        f"-I{ENGINE}",
        str(program),
        "-lm",
        "-o",
        str(out),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    values = _values([*run, out])
    assert values and len(values) == 6 and all(len(row) == 9 * 70 for row in values.values())
    return values


@pytest.fixture(scope="module")
def step_here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        pytest.skip("no compiler here")
    return _engine_step((compiler, "-march=native"), tmp_path_factory.mktemp("native"))


@pytest.mark.slow
@pytest.mark.parametrize("processor", ARM)
def test_the_engine_on_arm(processor: str, step_here, tmp_path: Path) -> None:
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("no cross compiler (`pip install ziglang`)")
    if not emulator:
        pytest.skip("no emulator of ARM (Debian: qemu-user-static)")
    got = _engine_step((*ZIG, f"-mcpu={processor}"), tmp_path, (emulator, "-cpu", "max"))
    _assert_equal(got, step_here, 1e-3)  # inputs of 15 bits may round the other way


@pytest.mark.slow
def test_the_engine_by_clang(step_here, tmp_path: Path) -> None:
    compiler = shutil.which("clang") or shutil.which("clang-14")
    if not compiler:
        pytest.skip("no clang here")
    _assert_equal(_engine_step((compiler, "-march=native"), tmp_path), step_here, 1e-3)
