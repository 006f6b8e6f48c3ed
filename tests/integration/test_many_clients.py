"""Many clients of one server at once, on our engine: nobody is refused, nobody gets another's answer."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest
from families import FAMILIES
from serving import serving

from smolforge.compiled import CompileError
from smolforge.device import gguf
from smolforge.device.engine.build import library
from smolforge.model.config import weight_shapes
from smolforge.serve.engines import load_talker
from smolforge.text import tokenizer as text

CLIENTS = 64


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny chat model of random weights; it says anything, but always the same for a seed."""
    try:
        library()
    except CompileError:
        pytest.skip("no compiler here")
    folder = tmp_path_factory.mktemp("model")
    (folder / "tok").mkdir()
    text.save(text.train(["user assistant system: the cat sat on 12 mats.\n"] * 9, 384), folder / "tok")
    tok = text.load_tokenizer(folder / "tok")
    shape = FAMILIES["llama"].__class__(
        vocab_size=384, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=512,
    )  # fmt: skip
    draw = np.random.default_rng(3)
    weights = {
        name: (np.ones(size) if len(size) == 1 else draw.normal(0, 0.2, size)).astype(np.float32)
        for name, size in weight_shapes(shape).items()
    }
    out = folder / "model.gguf"
    gguf.write(out, "q8_0", shape, weights, tok, template=tok.template_source, name="tiny")
    return out


def _body(number: int, **more: object) -> dict[str, object]:
    said = [{"role": "user", "content": f"client {number % 16} says {number % 16 * 7}"}]
    return {"messages": said, "max_tokens": 40, "temperature": 1.0, "seed": number % 16, **more}


def _ask(url: str, body: dict[str, object]) -> httpx.Response:
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=120)


def test_clients_at_once_get_what_they_would_get_alone(file: Path) -> None:
    """A third leave early, a tenth send garbage; the others get, to the letter, what they would get alone."""
    with serving(load_talker(file)) as url:
        alone = [_ask(url, _body(n)).json()["choices"][0]["message"]["content"] for n in range(16)]
        got: dict[int, str] = {}
        statuses: list[int] = []

        def client(number: int) -> None:
            draw = random.Random(number)
            if number % 10 == 9:
                statuses.append(
                    httpx.post(f"{url}/v1/chat/completions", content=draw.randbytes(200)).status_code
                )
            elif number % 3 == 1:
                with httpx.stream(
                    "POST", f"{url}/v1/chat/completions", json=_body(number, stream=True), timeout=120
                ) as r:
                    next(r.iter_lines())
            else:
                answer = _ask(url, _body(number))
                assert answer.status_code == 200, answer.text
                got[number] = answer.json()["choices"][0]["message"]["content"]

        clients = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
        for one in clients:
            one.start()
        for one in clients:
            one.join(120)
        assert set(statuses) == {400} and len(got) > CLIENTS // 2
        assert all(said == alone[n % 16] for n, said in got.items())
        assert _ask(url, _body(3)).json()["choices"][0]["message"]["content"] == alone[3]
        assert httpx.get(f"{url}/health").json()["requests"] == 0
