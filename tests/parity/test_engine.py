"""Our engine against the torch model of the same file, for every family and type, and against itself in company."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gguf as packages
import numpy as np
import pytest
import torch
from families import CUT_BY, FAMILIES, write_tokenizer
from gguf import GGMLQuantizationType as Type

from smolforge.compiled import CompileError
from smolforge.device import gguf
from smolforge.device.engine.build import library
from smolforge.device.engine.choosing import Choice
from smolforge.device.engine.model import EngineModel
from smolforge.device.engine.weights import Unfit
from smolforge.device.loss import read_back
from smolforge.errors import InputError
from smolforge.language_model import Sampling
from smolforge.model.generate import TorchLanguageModel
from smolforge.model.sampling import Chooser
from smolforge.model.transformer import Llama
from smolforge.text.tokenizer import load_tokenizer

KINDS = ["f32", "f16", "bf16", "q8_0", "q4_1", "q4_0"]
RUNS_HERE = [name for name in FAMILIES if name != "llama-biased"]
IDS = [5, 9, 200, 31, 31, 77, 8, 120, 3, 64, 250, 17, 92, 41, 6, 101, 13, 180, 222, 10]


@pytest.fixture(scope="module", autouse=True)
def _compiler() -> None:
    try:
        library()
    except CompileError:
        pytest.skip("no compiler here")


def write_model(folder: Path, family: str, kind: str, **changes: object) -> Path:
    """A GGUF file of random weights that make distributions with a shape."""
    write_tokenizer(CUT_BY[family], folder / "tokenizer", 300)
    tok = load_tokenizer(folder / "tokenizer")
    shape = replace(FAMILIES[family], vocab_size=320, **changes)  # type: ignore[arg-type]
    model, random = Llama(shape), torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(1.0 if name.endswith("norm.weight") else 0.0, 0.15, generator=random)
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    file = folder / "model.gguf"
    gguf.write(file, kind, shape, weights, tok, template=None, name="x")  # type: ignore[arg-type]
    return file


def logits_of(model: EngineModel, ids: list[int]) -> np.ndarray:
    return np.stack(list(model.logits_after(ids, 0)))


def assert_same_logits(model: EngineModel, file: Path, ids: list[int]) -> None:
    """As near to the torch model as halves in the cache and 15 bits of inputs allow."""
    with torch.no_grad():
        wanted = read_back(file)(torch.tensor([ids]))[0].numpy()
    assert np.abs(logits_of(model, ids) - wanted).max() < 2e-3 * np.abs(wanted).max()


@pytest.mark.parametrize("family", RUNS_HERE)
@pytest.mark.parametrize("kind", ["f32", "q4_1"])
def test_every_family(family: str, kind: str, tmp_path: Path) -> None:
    file = write_model(tmp_path, family, kind)
    assert_same_logits(EngineModel(file, threads=2), file, IDS)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_type(kind: str, threads: int, tmp_path: Path) -> None:
    """More than a step's rows, so that positions are read in several."""
    file = write_model(tmp_path, "llama", kind)
    assert_same_logits(EngineModel(file, threads=threads), file, (IDS * 5)[:90])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), "llama", "q4_0")


@pytest.fixture(scope="module")
def model(file: Path) -> EngineModel:
    return EngineModel(file, threads=2)


PROMPTS = [
    IDS[:3],
    IDS[4:19],
    IDS[:7],
    IDS[2:4],
    IDS[:20],
    IDS[9:],
    IDS[1:6],
    IDS[3:5],
    IDS[:1],
    IDS[:11],
    IDS[5:9],
]
HOW = [
    Sampling(max_new_tokens=24),
    Sampling(max_new_tokens=24, temperature=1.2, seed=7),
    Sampling(max_new_tokens=24, temperature=0.9, top_p=0.8, seed=3),
    Sampling(max_new_tokens=24, temperature=1.5, top_k=12, seed=2),
    Sampling(max_new_tokens=24, temperature=1.1, top_k=30, top_p=0.9, repetition_penalty=1.3, seed=9),
]


def test_greedy_answers_are_those_of_torch(model: EngineModel, file: Path) -> None:
    """But where two tokens are as likely to rounding."""
    theirs = TorchLanguageModel(read_back(file)).generate(PROMPTS, HOW[0], stop=model.tok.end_ids)
    ours = model.generate(PROMPTS, HOW[0])
    assert sum(a == b for a, b in zip(ours, theirs, strict=True)) >= len(PROMPTS) - 1


@pytest.mark.parametrize("how", HOW)
def test_tokens_are_chosen_as_with_torch(how: Sampling) -> None:
    """Same rules, same random numbers for a seed and place: the same tokens from the same logits."""
    logits_NRV = torch.randn(24, 9, 700, generator=torch.Generator().manual_seed(4)) * 3
    theirs = Chooser(how, 700)
    theirs.add(list(range(9)), [[place, 5] for place in range(9)])
    ours = [Choice(how, 700, place, [place, 5]) for place in range(9)]
    same = 0
    for step, logits_RV in enumerate(logits_NRV):
        wanted = theirs.choose(logits_RV, torch.full((9,), step)).tolist()
        same += sum(c.of(row) == w for c, row, w in zip(ours, logits_RV.numpy(), wanted, strict=True))
    assert same >= 24 * 9 - 1


@pytest.mark.parametrize("how", HOW)
def test_an_answer_does_not_depend_on_its_company(model: EngineModel, file: Path, how: Sampling) -> None:
    """Eleven prompts over eight slots, over two, and streamed alone by a model that has read nothing before."""
    together = model.generate(PROMPTS, how)
    assert together == EngineModel(file, threads=1, slots=2).generate(PROMPTS, how)
    alone = EngineModel(file, threads=2, slots=1)
    assert list(alone.stream(PROMPTS[0], how)) == together[0]


def test_log_probabilities_are_those_of_torch(model: EngineModel, file: Path) -> None:
    continuations = [[5, 9], [7], [1, 2, 3, 4], [], [300], [9, 9], [4], [250], [5, 6, 7], [31], [8, 8, 8]]
    wanted = TorchLanguageModel(read_back(file)).logprobs(PROMPTS, continuations)
    for ours, theirs in zip(model.logprobs(PROMPTS, continuations), wanted, strict=True):
        assert ours.tokens == theirs.tokens and ours.is_greedy == theirs.is_greedy
        assert abs(ours.total - theirs.total) < 5e-3 * max(1, ours.tokens)


def test_what_was_read_is_not_read_again(model: EngineModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next turn of a chat reads what is new; another prompt with the same beginning copies it."""
    read: list[int] = []
    inner = model._read
    monkeypatch.setattr(model, "_read", lambda rows: (read.append(len(rows)), inner(rows))[1])
    how = Sampling(max_new_tokens=4)
    first = (IDS * 3)[:50]
    answer = model.generate([first], how)[0]
    read.clear()
    again = model.generate([[*first, *answer, 11, 12]], how)[0]
    assert sum(read) <= 3 + 1 + len(again)
    read.clear()
    both = model.generate([[*first, 44], [*first, 45]], how)
    assert sum(read) <= 2 + sum(map(len, both)) + 4
    assert both == [EngineModel(model._file, threads=1).generate([[*first, k]], how)[0] for k in (44, 45)]


def test_a_stream_can_be_left_and_the_slot_is_free_again(model: EngineModel) -> None:
    for _ in range(2 * len(model._slots)):
        stream = model.stream(IDS, Sampling(max_new_tokens=20, temperature=1.0))
        next(stream)
        stream.close()
    assert not any(slot.busy for slot in model._slots)


def test_many_threads_share_the_steps(file: Path) -> None:
    """Twenty askers, three slots: each gets what it would have got alone, and some leave early."""
    model = EngineModel(file, threads=2, slots=3)
    how = [replace(HOW[1], seed=number) for number in range(20)]
    alone = [model.generate([PROMPTS[n % 11]], how[n])[0] for n in range(20)]
    together: dict[int, list[int]] = {}

    def ask(number: int) -> None:
        stream = model.stream(PROMPTS[number % 11], how[number])
        if number % 4 == 3:
            next(stream)
            stream.close()
            return
        together[number] = list(stream)

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(60)
    assert together == {n: alone[n] for n in range(20) if n % 4 != 3}
    assert not any(slot.busy for slot in model._slots) and not model._writing


def test_stops_end_an_answer_and_are_left_out(model: EngineModel) -> None:
    whole = model.generate([IDS], Sampling(max_new_tokens=12))[0]
    stop = whole[5]
    cut = model.generate([IDS], Sampling(max_new_tokens=12), stop=[stop])[0]
    assert cut == whole[: whole.index(stop)]
    assert list(model.stream(IDS, Sampling(max_new_tokens=12), stop=[stop])) == cut
    heard: list[int] = []
    ended = model.generate(
        [IDS] * 3, Sampling(max_new_tokens=60), ended=lambda place, ids: True, told=heard.append
    )
    assert heard[-1] == 3 and all(len(ids) < 60 for ids in ended)


@pytest.mark.parametrize("prompt", [[], [1] * 200, [-1], [400]])
def test_impossible_prompts_are_input_errors(model: EngineModel, prompt: list[int]) -> None:
    with pytest.raises(InputError):
        model.generate([prompt], Sampling())
    with pytest.raises(InputError):
        list(model.stream(prompt, Sampling()))


def test_an_answer_ends_where_the_positions_end(model: EngineModel) -> None:
    assert len(model.generate([IDS], Sampling(max_new_tokens=500))[0]) <= model.context - len(IDS)


def test_families_without_a_path_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Unfit):
        EngineModel(write_model(tmp_path / "narrow", "llama", "f32", head_dim=24))


def test_types_of_other_programs_run_as_eight_bits_and_that_is_told(
    file: Path, tmp_path: Path, monkeypatch
) -> None:
    """Five-bit blocks, written by the `gguf` package."""
    monkeypatch.setitem(gguf.TYPES, "q4_0", Type.Q5_0)
    monkeypatch.setattr(gguf, "BLOCK_COLUMNS", 32)
    other = write_model(tmp_path, "llama", "q4_0")
    model = EngineModel(other)
    assert "Q5_0" in model.told and "eight bits" in model.told
    with torch.no_grad():
        wanted = read_back(other)(torch.tensor([IDS]))[0].numpy()
    assert np.abs(logits_of(model, IDS) - wanted).max() < 0.06 * np.abs(wanted).max()
    assert packages.GGML_QUANT_SIZES[Type.Q5_0][0] == 32


FUZZ = """
import random, sys
from pathlib import Path
from smolforge.device.engine.model import EngineModel
from smolforge.errors import SmolError
from smolforge.language_model import Sampling
whole, draw, loaded = Path(sys.argv[1]).read_bytes(), random.Random(int(sys.argv[2])), 0
for number in range(60):
    data = bytearray(whole)
    for _ in range(draw.choice([1, 3, 20])):
        data[draw.randrange(draw.choice([400, 6000, len(data)]))] = draw.randrange(256)
    if draw.random() < 0.3:
        data = data[: draw.randrange(len(data))]
    file = Path(sys.argv[3])
    file.write_bytes(data)
    try:
        model = EngineModel(file, threads=2, slots=2)
        model.generate([[1, 2, 3], [4] * 30], Sampling(max_new_tokens=4, temperature=1.0))
        loaded += 1
    except SmolError:
        pass
print(loaded)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_end_no_process(file: Path, seed: int, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FUZZ, str(file), str(seed), str(tmp_path / "m.gguf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 0 < int(done.stdout) < 60


@pytest.fixture(scope="module", params=["x86-64-v3", "x86-64"])
def portable(request: pytest.FixtureRequest, file: Path, tmp_path_factory) -> Iterator[str]:
    if "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this machine lacks the instructions")
    yield request.param


@pytest.mark.slow
def test_other_instructions_give_the_same(portable: str, file: Path, model: EngineModel) -> None:
    """The plain path and that of AVX2, in a process of their own."""
    program = (
        "import sys, numpy as np\nfrom pathlib import Path\n"
        "from smolforge.device.engine.model import EngineModel\nfrom smolforge.device.engine.build import library\n"
        "m = EngineModel(Path(sys.argv[1]), threads=2)\nassert not library().engine_vnni()\n"
        f"np.save(sys.argv[2], np.stack(list(m.logits_after({IDS}, 0))))"
    )
    out = file.with_name(f"{portable}.npy")
    environment = {**os.environ, "SMOL_ENGINE_MARCH": portable}
    subprocess.run(
        [sys.executable, "-c", program, str(file), str(out)], env=environment, check=True, timeout=300
    )
    wanted = logits_of(model, IDS)
    assert np.abs(np.load(out) - wanted).max() < 1e-3 * np.abs(wanted).max()
