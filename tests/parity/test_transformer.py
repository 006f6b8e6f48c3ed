"""Our model against `transformers`: logits, loss and gradients; the cache against a full pass."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from families import FAMILIES
from torch.nn import functional

from smolforge import kernels
from smolforge.errors import InputError
from smolforge.language_model import Sampling
from smolforge.model.config import ModelConfig, Research, weight_shapes
from smolforge.model.generate import TorchLanguageModel
from smolforge.model.transformer import Llama
from smolforge.model.weights import load_config, load_model, save_model

transformers = pytest.importorskip("transformers")

TINY = ModelConfig(
    vocab_size=259,
    hidden_size=48,
    intermediate_size=112,
    num_hidden_layers=3,
    num_attention_heads=6,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=96,
)
HEADS_OF_135M = ModelConfig(
    vocab_size=1000,
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=2,
    num_attention_heads=9,
    num_key_value_heads=3,
    head_dim=64,
    initializer_range=0.0416667,
)
MANY_HEADS = ModelConfig(
    vocab_size=300,
    hidden_size=256,
    intermediate_size=512,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,
    head_dim=64,
    rope_theta=130_000.0,
)
RESEARCH = replace(TINY, research=Research(soft_cap=4.0))


def random_model(config: ModelConfig, seed: int = 0) -> Llama:
    """Weights large enough that attention and logits are far from uniform."""
    model = Llama(config)
    model.initialise(seed)
    draw = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 1:
                weight.add_(0.3 * torch.randn(weight.shape, generator=draw))
            else:
                weight.copy_(torch.randn(weight.shape, generator=draw) * 1.5 * weight.shape[1] ** -0.5)
    return model


def tokens(config: ModelConfig, rows: int, length: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, config.vocab_size, (rows, length), generator=draw)


SHAPES = {"tiny": TINY, "135m-heads": HEADS_OF_135M, "mha": MANY_HEADS, **FAMILIES}


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_logits_loss_and_gradients_equal_transformers(config, tmp_path):
    ours = random_model(config)
    save_model(tmp_path, ours)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    batch = tokens(config, 2, 70)

    logits = ours(batch)
    reference = theirs(batch, labels=batch)
    torch.testing.assert_close(logits, reference.logits, atol=1e-4, rtol=1e-4)

    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), batch[:, 1:].flatten())
    torch.testing.assert_close(loss, reference.loss, atol=1e-5, rtol=1e-5)
    loss.backward()
    reference.loss.backward()
    theirs_by_name = dict(theirs.named_parameters())
    assert set(theirs_by_name) == {name for name, _ in ours.named_parameters()}
    for name, weight in ours.named_parameters():
        torch.testing.assert_close(weight.grad, theirs_by_name[name].grad, atol=1e-4, rtol=1e-3, msg=name)


def test_parameter_count_equals_the_config(tmp_path):
    for config in (*SHAPES.values(), RESEARCH, replace(RESEARCH, num_hidden_layers=2)):
        model = Llama(config)
        assert sum(weight.numel() for weight in model.parameters()) == config.parameters
        assert weight_shapes(config) == {name: tuple(w.shape) for name, w in model.named_parameters()}


def test_packed_documents_do_not_see_each_other():
    model = random_model(TINY)
    first, second = tokens(TINY, 1, 11, 1), tokens(TINY, 1, 19, 2)
    packed = torch.cat([first, second], 1)
    starts = torch.tensor([[0] * 11 + [11] * 19], dtype=torch.int32)
    with torch.no_grad():
        together = model(packed, starts)
        apart = torch.cat([model(first), model(second)], 1)
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("config", FAMILIES.values(), ids=FAMILIES)
def test_weights_are_written_deterministically_and_come_back(tmp_path, config):
    model = random_model(config)
    for name in ("a", "b"):
        save_model(tmp_path / name, model)
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    again = load_model(tmp_path / "a")
    assert again.config == config
    for (name, ours), (_, back) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert torch.equal(ours, back), name


@pytest.mark.parametrize("research", [Research(), Research(relu_squared=False, soft_cap=0.0)])
def test_a_research_model_comes_back_and_is_no_llama(tmp_path, research):
    model = random_model(replace(TINY, research=research))
    save_model(tmp_path, model)
    again = load_model(tmp_path)
    assert again.config == model.config
    batch = tokens(TINY, 2, 9)
    assert torch.equal(model(batch), again(batch))
    with pytest.raises(ValueError, match="smolforge_research"):
        transformers.AutoModelForCausalLM.from_pretrained(tmp_path)


def plain_research(model, batch):
    """The same model in plain operations of float64, one sequence after the other."""
    config, weights = (
        model.config,
        {n: w.detach().double().requires_grad_() for n, w in model.named_parameters()},
    )
    heads, kv_heads, head = config.num_attention_heads, config.num_key_value_heads, config.head_dim
    angle_TR = torch.outer(torch.arange(batch.shape[1]).double(), 1e4 ** (-torch.arange(0, head, 2) / head))

    def norm(x, name):
        return x * (x.square().mean(-1, keepdim=True) + config.rms_norm_eps).rsqrt() * weights[name]

    def turned(x_BHTE):
        first, second = x_BHTE.chunk(2, -1)
        cos, sin = angle_TR.cos(), angle_TR.sin()
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)

    def parted(x_BTD, count):
        return x_BTD.unflatten(-1, (count, head)).transpose(1, 2)

    x = weights["model.embed_tokens.weight"][batch]
    for layer in range(config.num_hidden_layers):
        at = f"model.layers.{layer}."
        y = norm(x, at + "input_layernorm.weight")
        q, k, v = (y @ weights[f"{at}self_attn.{part}_proj.weight"].T for part in "qkv")
        q, k, v = turned(parted(q, heads)), turned(parted(k, kv_heads)), parted(v, kv_heads)
        if (at + "self_attn.value_mix") in weights:
            own = parted(weights[at + "self_attn.value_embeds.weight"][batch], kv_heads)
            v = v + own * weights[at + "self_attn.value_mix"][:, None, None]
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + mixed.transpose(1, 2).flatten(2) @ weights[at + "self_attn.o_proj.weight"].T
        up = norm(x, at + "post_attention_layernorm.weight") @ weights[at + "mlp.up_proj.weight"].T
        x = x + up.clamp(min=0).square() @ weights[at + "mlp.down_proj.weight"].T
    logits = norm(x, "model.norm.weight") @ weights["model.embed_tokens.weight"].T
    return config.research.soft_cap * torch.tanh(logits / config.research.soft_cap), weights


def test_a_research_model_equals_plain_operations():
    model, batch = random_model(RESEARCH), tokens(RESEARCH, 2, 33)
    assert [block.self_attn.has_values for block in model.model.layers] == [True, False, True]
    logits, (wanted, weights) = model(batch), plain_research(model, batch)
    torch.testing.assert_close(logits.double(), wanted, atol=1e-4, rtol=1e-4)
    functional.cross_entropy(logits.flatten(0, 1), batch.flatten()).backward()
    functional.cross_entropy(wanted.flatten(0, 1), batch.flatten()).backward()
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad.double(), weights[name].grad, atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize(
    "change", ["arch", "shape", "missing", "truncated", "pickle", "no-config", "not-json"]
)
def test_foreign_and_damaged_folders_are_refused_in_words(tmp_path, change):
    save_model(tmp_path, random_model(TINY))
    config, weights = tmp_path / "config.json", tmp_path / "model.safetensors"
    plain = json.loads(config.read_text())
    if change == "arch":
        config.write_text(json.dumps(plain | {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}))
    if change == "shape":
        config.write_text(json.dumps(plain | {"hidden_size": 64}))
    if change == "missing":
        config.write_text(json.dumps(plain | {"num_hidden_layers": 4}))
    if change == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    if change == "pickle":
        weights.rename(tmp_path / "pytorch_model.bin")
    if change == "no-config":
        config.unlink()
    if change == "not-json":
        config.write_text("{" * 20)
    with pytest.raises(InputError) as caught:
        load_model(tmp_path)
    assert caught.value.where.startswith(str(tmp_path))


@pytest.mark.parametrize("config", [MANY_HEADS, *FAMILIES.values()], ids=["mha", *FAMILIES])
def test_configs_of_newer_transformers_are_read(tmp_path, config):
    save_model(tmp_path, random_model(config))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    theirs.save_pretrained(tmp_path / "again")
    assert load_config(tmp_path / "again") == config


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "yarn"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "factor"),
        ({"rope_scaling": [1]}, "rotary"),
        ({"use_sliding_window": True}, "use_sliding_window"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"model_type": "gemma", "architectures": ["GemmaForCausalLM"]}, "gemma"),
        ({"num_key_value_heads": 0}, "num_key_value_heads"),
        ({"num_attention_heads": 4, "num_key_value_heads": 3}, "num_key_value_heads"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings"),
        ({"model_type": "smollm3", "architectures": None, "no_rope_layers": [1, 0, 0]}, "no_rope_layers"),
        ({"model_type": "qwen2", "architectures": ["LlamaForCausalLM"]}, "qwen2"),
        ({"model_type": "qwen2", "architectures": None, "mlp_bias": True}, "mlp_bias"),
        ({"architectures": 7}, "llama"),
    ],
)
def test_what_is_not_run_here_is_refused_by_name(tmp_path, change, named):
    save_model(tmp_path, random_model(TINY))
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(InputError, match=named):
        load_config(tmp_path)


def test_weights_that_are_not_finite_are_refused_by_name(tmp_path):
    model = random_model(TINY)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[2, 3] = float("nan")
    save_model(tmp_path, model)
    with pytest.raises(InputError, match=r"model\.layers\.1\.mlp\.up_proj\.weight"):
        load_model(tmp_path)


@pytest.mark.parametrize("table", [[], 7, {"a": 1}, {"a": "../b.safetensors"}, {"a": "gone.safetensors"}])
def test_an_index_that_is_none_is_refused_in_words(tmp_path, table):
    save_model(tmp_path, random_model(TINY))
    (tmp_path / "model.safetensors").rename(tmp_path / "model-1.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    with pytest.raises(InputError) as caught:
        load_model(tmp_path)
    assert caught.value.where.endswith("index.json")


class TestGeneration:
    """The cache must not be seen in the answers."""

    model = random_model(TINY, 3)
    engine = TorchLanguageModel(model)
    prompts = tuple(tuple(tokens(TINY, 1, 2 + 3 * i, 10 + i)[0].tolist()) for i in range(12))

    def greedy_by_full_passes(self, prompt, steps):
        text = list(prompt)
        for _ in range(steps):
            with torch.no_grad():
                text.append(int(self.model(torch.tensor([text]))[0, -1].argmax()))
        return text[len(prompt) :]

    def test_greedy_equals_full_passes(self):
        answers = self.engine.generate(self.prompts, Sampling(max_new_tokens=20))
        assert answers == [self.greedy_by_full_passes(p, 20) for p in self.prompts]

    def test_the_batch_does_not_matter(self):
        how = Sampling(max_new_tokens=16)
        together = self.engine.generate(self.prompts, how)
        assert [self.engine.generate([p], how)[0] for p in self.prompts] == together

    def test_stream_equals_generate(self):
        for how in (
            Sampling(max_new_tokens=24),
            Sampling(max_new_tokens=24, temperature=0.9, top_p=0.8, seed=5),
            Sampling(max_new_tokens=24, temperature=1.0, top_k=9, repetition_penalty=1.3, seed=6),
        ):
            assert (
                list(self.engine.stream(self.prompts[0], how)) == self.engine.generate(self.prompts, how)[0]
            )

    def test_stops_end_an_answer_and_are_left_out(self):
        how = Sampling(max_new_tokens=20)
        free = self.engine.generate(self.prompts, how)
        stop = free[0][4]
        for whole, cut in zip(free, self.engine.generate(self.prompts, how, [stop]), strict=True):
            assert cut == (whole[: whole.index(stop)] if stop in whole else whole)

    def test_answers_end_where_positions_end(self):
        prompt = tokens(TINY, 1, 90)[0].tolist()
        assert len(self.engine.generate([prompt], Sampling(max_new_tokens=6))[0]) == 6
        assert self.engine.generate([prompt * 3], Sampling(max_new_tokens=50))[0]

    def test_sampling_follows_the_distribution(self):
        how = Sampling(max_new_tokens=1, temperature=1.0, seed=1)
        prompt = self.prompts[0]
        drawn = [a[0] for a in self.engine.generate([prompt] * 3000, how)]
        with torch.no_grad():
            wanted = self.model(torch.tensor([prompt]))[0, -1].softmax(0)
        found = torch.bincount(torch.tensor(drawn), minlength=TINY.vocab_size) / len(drawn)
        assert (found - wanted).abs().max() < 0.04
        assert (found - wanted).abs().sum() / 2 < 0.12

    def test_top_k_and_top_p_keep_only_the_likely(self):
        prompt = self.prompts[1]
        with torch.no_grad():
            order = self.model(torch.tensor([prompt]))[0, -1].softmax(0).sort(descending=True)
        for how, allowed in (
            (Sampling(max_new_tokens=1, temperature=2.0, top_k=3), order.indices[:3]),
            (
                Sampling(max_new_tokens=1, temperature=1.0, top_p=0.5),
                order.indices[: int((order.values.cumsum(0) < 0.5).sum()) + 1],
            ),
        ):
            drawn = {a[0] for a in self.engine.generate([prompt] * 400, how)}
            assert drawn <= set(allowed.tolist())
            assert len(drawn) > 1

    def test_logprobs_equal_a_full_pass(self):
        prompts = [p for p in self.prompts[:8] for _ in range(3)]
        continuations = [tokens(TINY, 1, 1 + i % 5, 50 + i)[0].tolist() for i in range(len(prompts))]
        found = self.engine.logprobs(prompts, continuations)
        found += self.engine.logprobs(self.prompts, continuations[: len(self.prompts)])
        asked = list(zip(prompts, continuations, strict=True)) + list(
            zip(self.prompts, continuations, strict=False)
        )
        for (prompt, continuation), answer in zip(asked, found, strict=True):
            with torch.no_grad():
                logits = self.model(torch.tensor([list(prompt) + continuation]))[0, len(prompt) - 1 : -1]
            wanted = logits.log_softmax(1)[range(len(continuation)), continuation].sum()
            assert answer.total == pytest.approx(float(wanted), abs=1e-3)
            assert answer.tokens == len(continuation)
            assert answer.is_greedy == bool((logits.argmax(1) == torch.tensor(continuation)).all())

    def test_greedy_answers_are_greedy_continuations(self):
        answers = self.engine.generate(self.prompts, Sampling(max_new_tokens=5))
        assert all(score.is_greedy for score in self.engine.logprobs(self.prompts, answers))

    def test_texts_longer_than_the_positions_are_scored_whole(self):
        text = tokens(TINY, 1, 400)[0].tolist()
        score = self.engine.logprobs([[]], [text])[0]
        assert score.tokens == 400
        assert -400 * 12 < score.total < -400


class TestGenerationOfResearch(TestGeneration):
    """The same of a model with its own values, relu squared and a soft cap."""

    model = random_model(RESEARCH, 3)
    engine = TorchLanguageModel(model)


@pytest.mark.parametrize("config", FAMILIES.values(), ids=FAMILIES)
class TestGenerationOfFamilies:
    """Greedy answers with a cache, and log-probabilities, of every family against full passes."""

    def test_greedy_equals_full_passes(self, config):
        model = random_model(config, 3)
        engine, prompts = (
            TorchLanguageModel(model),
            [tokens(config, 1, 3 + 9 * i, i)[0].tolist() for i in range(5)],
        )
        for prompt, answer in zip(
            prompts, engine.generate(prompts, Sampling(max_new_tokens=12)), strict=True
        ):
            text = list(prompt)
            for _ in range(12):
                with torch.no_grad():
                    text.append(int(model(torch.tensor([text]))[0, -1].argmax()))
            assert answer == text[len(prompt) :]

    def test_logprobs_equal_a_full_pass(self, config):
        model = random_model(config, 4)
        prompt, said = tokens(config, 1, 20, 1)[0].tolist(), tokens(config, 1, 7, 2)[0].tolist()
        with torch.no_grad():
            logits = model(torch.tensor([prompt + said]))[0, len(prompt) - 1 : -1]
        wanted = float(logits.log_softmax(1)[range(len(said)), said].sum())
        found = TorchLanguageModel(model).logprobs([prompt], [said])[0]
        assert found.total == pytest.approx(wanted, abs=1e-3)


HALVES = [torch.bfloat16, torch.float16]
ERROR = {torch.bfloat16: 0.1, torch.float16: 0.02}
"""Of a log-probability (some 6 nats here), random weights; measured at a third of these."""


@pytest.mark.parametrize("dtype", HALVES, ids=["bf16", "fp16"])
@pytest.mark.parametrize("config", [HEADS_OF_135M, *FAMILIES.values()], ids=["135m-heads", *FAMILIES])
def test_reading_and_writing_in_halves(config, dtype):
    """Near the fp32 reading, for one row and for many; streamed as written in a batch."""
    if not kernels.knows(dtype):
        pytest.skip("this processor does not multiply halves")
    model = random_model(config, 3)
    with torch.no_grad():  # as peaked as a trained model's attention, no more
        for name, weight in model.named_parameters():
            if name.endswith("_proj.weight"):
                weight.mul_(0.4)
    exact = TorchLanguageModel(model)
    model.compute = dtype
    halves = TorchLanguageModel(model)
    prompts = [tokens(config, 1, 2 + 5 * i, i)[0].tolist() for i in range(9)]
    said = [tokens(config, 1, 6, 30 + i)[0].tolist() for i in range(9)]
    for wanted, found in zip(exact.logprobs(prompts, said), halves.logprobs(prompts, said), strict=True):
        assert found.total / 6 == pytest.approx(wanted.total / 6, abs=ERROR[dtype])
    assert halves.logprobs(prompts[:1], said[:1])[0].total == pytest.approx(
        halves.logprobs(prompts, said)[0].total, abs=6 * ERROR[dtype]
    )
    how = Sampling(max_new_tokens=8)
    assert list(halves.stream(prompts[2], how)) == halves.generate(prompts[2:3], how)[0]
