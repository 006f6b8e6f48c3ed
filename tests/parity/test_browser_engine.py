"""The exported page's own engine, tokenizer and chat template, run by Node, against `EngineModel` and `Tok`."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from families import CUT_BY, FAMILIES, write_tokenizer

from smolforge.compiled import CompileError
from smolforge.device import gguf
from smolforge.device.battery import all_texts
from smolforge.device.browser.folder import write_folder
from smolforge.device.browser.frames import chat_plan
from smolforge.device.engine.build import library
from smolforge.device.engine.model import EngineModel
from smolforge.errors import InputError
from smolforge.language_model import Sampling
from smolforge.model.transformer import Llama
from smolforge.text import chat
from smolforge.text.tokenizer import Tok, load_tokenizer
from smolforge.text.tokenizer import train as train_tokenizer

NODE = shutil.which("node")
SCRIPT = Path(__file__).with_name("browser_engine.js")
if NODE is None:
    pytest.skip("no Node on this machine", allow_module_level=True)
if importlib.util.find_spec("ziglang") is None:
    pytest.skip("no compiler for WebAssembly (`pip install ziglang`)", allow_module_level=True)
MOST = 24
CHATS: list[list[dict[str, Any]]] = [
    [{"role": "user", "content": "Hello"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " What is 1 + 1?\n"}],
    [
        {"role": "user", "content": "a <|im_end|> <|eot_id|> <tool_call> b"},
        {"role": "assistant", "content": "\n <think> 12\n\n"},
        {"role": "user", "content": "🙂 'é'"},
    ],
]


@pytest.fixture(scope="module", autouse=True)
def _compiler() -> None:
    try:
        library()
    except CompileError:
        pytest.skip("no compiler here")


def write_model(folder: Path, family: str, kind: str, tok: Tok) -> Path:
    """A GGUF file of random weights with a chat template."""
    shape = replace(FAMILIES[family], vocab_size=tok.vocab_size, max_position_embeddings=512)
    model, random = Llama(shape), torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(1.0 if name.endswith("norm.weight") else 0.0, 0.15, generator=random)
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    file = folder / "made.gguf"
    gguf.write(file, kind, shape, weights, tok, template=tok.template_source, name="x")  # type: ignore[arg-type]
    return file


def ask_page(file: Path, folder: Path, **asked: Any) -> dict[str, Any]:
    folder.mkdir()
    write_folder(file, "x", folder)
    (folder / "asked.json").write_text(json.dumps({"most": MOST, **asked}), encoding="utf-8")
    done = subprocess.run(
        [str(NODE), str(SCRIPT), str(folder)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads((folder / "answered.json").read_text("utf-8")))


def foreign(family: str, folder: Path) -> Tok:
    write_tokenizer(CUT_BY[family], folder / "tokenizer", 320)
    return load_tokenizer(folder / "tokenizer")


def assert_same(file: Path, folder: Path) -> None:
    model = EngineModel(file, threads=1)
    tok, texts = model.tok, all_texts()
    prompts = [tok.encode_chat(one, add_generation_prompt=True)[0] for one in CHATS]
    prompts += [tok.encode(text)[:90] for text in ("Once upon a time", "def f(x):", READ)]
    ids = [tok.encode(text) for text in texts]
    got = ask_page(file, folder / "page", prompts=prompts, texts=texts, chats=CHATS, ids=ids)
    assert got["chats"] == prompts[: len(CHATS)]
    assert got["ids"] == ids
    assert got["markup"] == [tok._markup.encode(text).ids for text in texts]
    assert [bytes(one) for one in got["bytes"]] == [tok.decode_bytes(one) for one in ids]
    wanted = model.generate(prompts, Sampling(max_new_tokens=MOST, temperature=0.0))
    assert sum(map(len, wanted)) > 40
    assert got["answers"] == wanted


PLAIN_TEMPLATE = (
    "{{% for m in messages %}}{{% if loop.first and m.role != 'system' %}}Be kind.{end}{{% endif %}}{{{{ m.role }}}}: "
    "{{{{ m.content }}}}{end}\n{{% endfor %}}{{% if add_generation_prompt %}}assistant: {{% endif %}}"
)
READ = "Water is made of hydrogen and oxygen. 12 birds sat on the roof, and a cat below. " * 6


@pytest.mark.parametrize("kind", ["q8_0", "q4_0", "q4_1", "f16"])
def test_our_own_model(kind: str, tmp_path: Path) -> None:
    tok = Tok(tokenizer_parts(tmp_path))
    assert tok.template is None
    assert_same(write_model(tmp_path, "llama", kind, tok), tmp_path)


def tokenizer_parts(folder: Path) -> Any:
    from smolforge.text.tokenizer import save

    (folder / "ours").mkdir()
    save(train_tokenizer([READ, *all_texts()[:40]], 400), folder / "ours")
    return load_tokenizer(folder / "ours").parts


@pytest.mark.parametrize("family", ["llama", "llama3", "qwen2", "qwen3", "smollm3"])
def test_other_families(family: str, tmp_path: Path) -> None:
    """With a template that texts can say in place of those that write the date or leave out thoughts."""
    tok = foreign(family, tmp_path)
    parts = replace(tok.parts, template=PLAIN_TEMPLATE.format(end=tok.roles.eos))
    tok = Tok(parts)
    assert_same(write_model(tmp_path, family, "q8_0", tok), tmp_path)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for m in messages %}<|im_start|>{{ m.content | trim }}<|im_end|>{% endfor %}", "depending on"),
        ("{{ strftime_now('%d %b %Y') }}{% for m in messages %}{{ m.content }}{% endfor %}", "the date"),
        ("{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", "every message once"),
    ],
)
def test_a_template_that_texts_cannot_say_is_refused(template: str, why: str, tmp_path: Path) -> None:
    tok = Tok(replace(tokenizer_parts(tmp_path), template=template))
    assert template != chat.CHAT_TEMPLATE
    with pytest.raises(InputError, match=why):
        chat_plan(tok)
