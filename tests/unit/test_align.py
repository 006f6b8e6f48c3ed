"""Tuning: what is learned, that it is learned, and that a killed run ends as an uninterrupted one."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from worlds import WORDS, ask, saying, talk, write_lines

from smolforge.align.conversations import (
    Conversation,
    answer_example,
    answer_ids,
    conversation_example,
    prompt_ids,
    read_conversations,
    read_pairs,
)
from smolforge.align.dpo import PairBatches, TokenPair, usable_pairs
from smolforge.align.grpo import group_advantages
from smolforge.align.preferences import Sampler, _Answer, as_question, choose_questions
from smolforge.align.replay import replayed
from smolforge.align.rewards import reward_answers
from smolforge.align.rows import logprobs_of, rows_of
from smolforge.align.stages import (
    DpoConfig,
    GrpoConfig,
    SamplePairsConfig,
    SftConfig,
    dpo,
    grpo,
    sample_pairs,
    sft,
)
from smolforge.artifacts import ChatData, Checkpoint, Corpus
from smolforge.data.tokens.batches import Example, ExampleBatches
from smolforge.errors import ConfigError, InputError
from smolforge.evals.task import Item
from smolforge.language_model import Sampling
from smolforge.log import Log
from smolforge.model.config import Research
from smolforge.model.generate import TorchLanguageModel
from smolforge.model.sampling import Chooser
from smolforge.model.weights import load_model
from smolforge.stage import Job
from smolforge.text import tokenizer
from smolforge.text.chat import render
from smolforge.train.config import OptimConfig
from smolforge.train.precision import compute_dtype


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A tokenizer, an untrained model, eight conversations and eight pairs."""
    root = tmp_path_factory.mktemp("world")
    made = saying(root)
    return {**made, "tok": tokenizer.load_tokenizer(root / "tokenizer")}


@pytest.fixture(scope="module")
def tuned(world, compute, tmp_path_factory):
    """The model after enough instruction tuning to say most words."""
    job = job_in(tmp_path_factory.mktemp("tuned"))
    cfg = SftConfig(
        epochs=60, length=64, batch_tokens=128, optim=OptimConfig(kind="adamw", lr=5e-3), compute=compute
    )
    facts = sft(cfg, job, **inputs(world, "init", "tokenizer", "data"))
    return Checkpoint(job.out, "k", "d", facts)


def inputs(world, *names):
    return {name: world[name] for name in names}


def job_in(folder, log=None):
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Job(out=folder / "out", work=folder / "work", log=log or Log(), threads=1)


# -- what is learned -----------------------------------------------------------------------------------


def test_the_mask_covers_the_assistants_words_and_the_end_of_its_turn(world):
    tok = world["tok"]
    call = {"name": "f", "arguments": {"a": 1}}
    messages = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "Say cat <|im_end|>"},
        {"role": "assistant", "content": "cat"},
        {"role": "user", "content": "call"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "3"},
        {"role": "assistant", "content": "sun"},
    ]
    example = conversation_example(tok, Conversation("1", "s", messages, tools=[{"name": "f"}]))
    assert tok.decode(example.tokens) == render(messages, [{"name": "f"}])
    said = tok.decode(example.tokens[example.weights > 0])
    assert (
        said
        == 'cat<|im_end|><tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call><|im_end|>sun<|im_end|>'
    )


def test_answers_cannot_close_their_own_turn(world):
    tok = world["tok"]
    ids = answer_ids(tok, 'a<|im_end|><tool_call>{"name": "f"}</tool_call>')
    assert tok.turn_end_id not in ids
    assert [i for i in ids if i in tok.specials.values()] == [
        tok.specials["<tool_call>"],
        tok.specials["</tool_call>"],
    ]
    assert tok.decode(ids) == 'a<|im_end|><tool_call>{"name": "f"}</tool_call>'


def test_packed_conversations_do_not_see_each_other(world):
    tok = world["tok"]
    network = load_model(world["init"].path)
    examples = [
        conversation_example(tok, Conversation("1", "s", [*ask(w), {"role": "assistant", "content": w}]))
        for w in WORDS[:3]
    ]
    packed = ExampleBatches(examples, length=64, rows=1, seed=0).next()
    alone = rows_of(examples, 64)
    with torch.no_grad():
        hidden = network.hidden(torch.from_numpy(packed.tokens_BT), torch.from_numpy(packed.starts_BT))[0]
        apart = network.hidden(torch.from_numpy(alone.tokens_BT), torch.from_numpy(alone.starts_BT))
    seen = 0
    for row, example in enumerate(examples):
        size = len(example.tokens) - 1
        for start in range(65 - size):
            if (packed.tokens_BT[0, start : start + size] == example.tokens[:-1]).all():
                assert torch.allclose(hidden[start : start + size], apart[row, :size], atol=1e-5)
                seen += 1
    assert seen == 3


def test_rows_keep_every_target_and_pad_alone():
    examples = [
        Example(np.arange(5, 10), np.array([0, 0, 1, 1, 1.0])),
        Example(np.arange(3), np.array([0, 1, 1.0])),
    ]
    batch = rows_of(examples, 64)
    assert batch.tokens_BT.shape == (2, 16)
    assert batch.tokens_BT[0, :4].tolist() == [5, 6, 7, 8] and batch.targets_BT[0, :4].tolist() == [
        6,
        7,
        8,
        9,
    ]
    assert batch.weights_BT.sum(1).tolist() == [3, 2]
    assert batch.starts_BT[1, :4].tolist() == [0, 0, 2, 3]
    assert rows_of(examples, 2).targets_BT.tolist() == [[6, 7], [1, 2]]


def test_pairs_without_a_difference_are_left_out():
    def one(*tokens):
        return Example(np.array([9, *tokens]), np.array([0, *[1.0] * len(tokens)]))

    pairs = [
        TokenPair(one(1, 2), one(1, 3)),
        TokenPair(one(1, 2), one(1, 2)),
        TokenPair(one(1, 2, 3), one(1, 2, 4)),
    ]
    assert usable_pairs(pairs, length=8) == [pairs[0], pairs[2]]
    assert usable_pairs(pairs, length=2) == [pairs[0]]


def test_every_pair_comes_once_an_epoch_and_a_restored_source_goes_on():
    def one(token, size):
        return Example(np.array([0, *[token] * size]), np.ones(size + 1))

    pairs = [TokenPair(one(i, 1 + i % 5), one(i, 2)) for i in range(1, 24)]
    source = PairBatches(pairs, length=32, pairs_per_step=4, seed=1, epochs=2)
    batches, states = [], []
    while (batch := source.next()) is not None:
        batches.append(batch)
        states.append(source.state())
    assert len(batches) == source.count_batches() == 12
    for epoch in (batches[:6], batches[6:]):
        assert sorted(t for b in epoch for t in b.targets_BT[0::2, 0]) == list(range(1, 24))
    again = PairBatches(pairs, length=32, pairs_per_step=4, seed=1, epochs=2)
    again.restore(json.loads(json.dumps(states[4])))
    assert (again.next().tokens_BT == batches[5].tokens_BT).all()


def test_advantages_sum_to_nothing_in_every_group():
    rewards = np.array([1.0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1])
    advantages = group_advantages(rewards, 4)
    assert np.allclose(advantages.reshape(3, 4).sum(1), 0)
    assert (advantages[4:8] == 0).all()
    assert advantages[0] == pytest.approx(0.75 / (0.5 + 1e-4))  # deviation of (1, 0, 0, 0) with n - 1
    assert group_advantages(rewards, 4, by_deviation=False)[0] == 0.75


@pytest.mark.parametrize("reward", [0.1, 0.7, 1 / 3])
@pytest.mark.parametrize("by_deviation", [True, False])
def test_equal_rewards_say_nothing(reward, by_deviation):
    """Exactly nothing: the mean of six equal numbers is not always that number."""
    rewards = np.array([reward] * 6 + [0.0, 1.0] * 3)
    advantages = group_advantages(rewards, 6, by_deviation=by_deviation)
    assert (advantages[:6] == 0).all() and (advantages[6:] != 0).all()


@pytest.mark.parametrize("temperature", [1.0, 0.5, 1.7])
def test_log_probabilities_are_those_that_answers_were_sampled_from(world, temperature):
    """Of the logits divided by the temperature, against plain mathematics; a capped model is refused."""
    model = load_model(world["init"].path)
    tokens = np.array([1, 5, 9, 4, 7, 2], np.int64)
    batch = rows_of([Example(tokens, np.array([0, 0, 1, 1, 0, 1], np.float32))], 16)
    found = logprobs_of(model, batch, 1000, temperature)
    with torch.no_grad():
        starts = torch.from_numpy(batch.starts_BT)
        hidden = model.hidden(torch.from_numpy(batch.tokens_BT), starts, None)[0].double()
        wanted = (hidden @ model.output_weight_VD.double().T / temperature).log_softmax(-1)
    for place, target in enumerate(tokens[1:].tolist()):
        expected = float(wanted[place, target]) if batch.weights_BT[0, place] else 0.0
        assert found[0, place] == pytest.approx(expected, abs=1e-4)
    if temperature != 1.0:
        model.config = replace(model.config, research=Research(soft_cap=5.0))
        with pytest.raises(ConfigError, match="caps its logits"):
            logprobs_of(model, batch, 1000, temperature)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("temperature", [1.0, 1.6])
def test_the_generator_and_the_trainer_give_answers_the_same_probability(world, tuned, kind, temperature):
    """What the sampler drew from, step by step with its cache and its own kernels, is what the loss takes it for."""
    model = load_model(tuned.path, compute=compute_dtype(kind, "cpu"))
    tok, seen = world["tok"], {}
    reader = TorchLanguageModel(model)
    choose = Chooser.choose

    def watching(chooser, logits_RV, step_R):
        token_R = choose(chooser, logits_RV, step_R)
        logprob_RV = (logits_RV.double() / temperature).log_softmax(-1)
        for row, (step, token) in enumerate(zip(step_R.tolist(), token_R.tolist(), strict=True)):
            seen[row, step] = (token, float(logprob_RV[row, token]))
        return token_R

    prompts = [prompt_ids(tok, ask(word), ()) for word in WORDS[:4]]
    prompts = [[*prompts[0]] for _ in prompts]  # of one length, so that no row moves
    how = Sampling(max_new_tokens=6, temperature=temperature, seed=3, keep_stop=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chooser, "choose", watching)
        answers = reader.generate(prompts, how)
    examples = [
        Example(np.array([*p, *a]), np.array([0.0] * len(p) + [1.0] * len(a), np.float32))
        for p, a in zip(prompts, answers, strict=True)
    ]
    found_BT = logprobs_of(model, rows_of(examples, 64), 1_000, temperature)
    for row, answer in enumerate(answers):
        assert len(answer) == 6
        for step, token in enumerate(answer):
            drawn, logprob = seen[row, step]
            place = len(prompts[row]) + step - 1
            assert drawn == token
            assert found_BT[row, place] == pytest.approx(logprob, abs=1e-4 if kind == "float32" else 0.06)


def test_an_answer_keeps_the_token_that_ended_it(world, tuned):
    """Whichever of the ends it was: it is what the model did, so it is what is made more likely."""
    tok, prompts = world["tok"], [prompt_ids(world["tok"], ask(word), ()) for word in WORDS]
    reader = TorchLanguageModel(load_model(tuned.path))
    how = Sampling(max_new_tokens=8)
    bare = reader.generate(prompts, how, tok.end_ids)
    kept = reader.generate(prompts, replace(how, keep_stop=True), tok.end_ids)
    assert any(len(answer) < 8 for answer in bare)
    for short, whole in zip(bare, kept, strict=True):
        assert whole[: len(short)] == short and (whole[len(short) :] == [] or whole[-1] in tok.end_ids)
        assert len(whole) == min(8, len(short) + 1)
    other = [bare[0][0]]  # another token ends it: that one is kept, and not the end of a turn
    assert reader.generate(prompts[:1], replace(how, keep_stop=True), other) == [other]


def test_how_far_it_goes_is_logged_whatever_weighs(world, tuned, tmp_path):
    """KL from the start, clipped share, and what the answers are like; by token and by answer alike."""
    for by_answer in (False, True):
        job = job_in(tmp_path / str(by_answer))
        cfg = GrpoConfig(
            rounds=4, questions=8, group=4, updates=2, max_new_tokens=6, length=64, temperature=2.0,
            by_answer=by_answer, optim=OptimConfig(kind="adamw", lr=3e-3, skip_deviations=0.0),
        )  # fmt: skip
        facts = grpo(cfg, job, init=tuned, **inputs(world, "tokenizer", "data"))
        lines = [json.loads(line) for line in (job.out / "losses.jsonl").read_text().splitlines()]
        told = {"kl", "clipped", "reward", "differing", "answer_tokens", "ended"}
        assert all(told <= line.keys() for line in lines) and "kl" in facts
        assert lines[0]["kl"] < 1e-3 < lines[-1]["kl"] < 5.0
        assert all(0 <= line["ended"] <= 1 and 0 < line["answer_tokens"] <= 6 for line in lines)


CALL = {"name": "weather", "arguments": {"city": "Rome"}}


def called(**change):
    """A question that a call answers, the call, what came of it, and words about it."""
    asked = [{"role": "user", "content": "Is it raining in Rome?"}]
    item = Item(id="i", skill="tools", kind="tool_call", messages=asked, answer=CALL)
    turns = [
        *asked,
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "rain"},
        {"role": "assistant", "content": "Yes, it rains."},
    ]
    return Conversation("1", "tools", turns, item=item, **change)


def test_the_reference_is_the_turn_that_was_asked_for():
    """Of a conversation that goes on, the call and not the last words; it passes its own check."""
    question = as_question(called())
    assert question.reference.startswith("<tool_call>") and "Yes" not in question.reference
    assert reward_answers([question.item], [question.reference], [True]) == [1.0]
    other = Conversation(
        "2", "tools", [{"role": "user", "content": "Hello"}, *called().messages[1:]], item=called().item
    )
    assert as_question(other).reference == "", "the conversation does not begin with the question of its item"


def sampler(**change):
    made = Sampler.__new__(Sampler)
    made._min_margin, made._use_reference, made._workers, made.wrong_references = 0.2, True, 1, 0
    vars(made).update(change)
    return made


def test_answers_that_were_cut_off_are_never_the_worse_one():
    """Nor empty ones; of equals the first that was sampled stands for all."""
    question = as_question(called())
    cut, empty = _Answer("and so on and", 0.0, False), _Answer("", 0.0, True)
    wrong, other = _Answer("zzz", 0.1, True), _Answer("aaa", 0.1, True)
    pair = sampler()._pair(question, [cut, empty, wrong, other])
    assert (pair["chosen"], pair["rejected"]) == (question.reference, "zzz")
    assert sampler()._pair(question, [cut, empty]) is None
    right, late = _Answer("second", 1.0, True), _Answer("first", 1.0, True)
    assert sampler()._pair(question, [wrong, right, late])["chosen"] == "second"


def test_a_reference_that_fails_its_own_check_is_not_learned():
    question = replace(as_question(called()), reference="Yes, it rains.")
    made = sampler()
    assert made._pair(question, [_Answer("no", 0.0, True), _Answer("never", 0.1, True)]) is None
    assert made.wrong_references == 1


def test_rewards_grade_and_ask_for_an_end():
    item = Item(
        id="1",
        skill="s",
        kind="checks",
        messages=[],
        checks=[{"name": "no_commas"}, {"name": "max_words", "args": {"count": 1}}],
    )
    assert reward_answers([item] * 4, ["one", "one two", "one", "a, b"], [True, True, False, True]) == [
        1,
        0.25,
        0,
        0,
    ]


# -- the stages ----------------------------------------------------------------------------------------


def test_instruction_tuning_teaches_the_answers(world, tuned):
    tok = world["tok"]
    assert tuned.facts["conversations"] == 32 and tuned.facts["left_out"] == 0
    assert tuned.facts["tokens"] > 100
    model = TorchLanguageModel(load_model(tuned.path))
    from smolforge.evals.score import evaluate

    items = [
        Item(id=w, skill="say", kind="exact", messages=ask(w), answer=w, max_new_tokens=8) for w in WORDS
    ]
    scores, _ = evaluate(model, tok, items, form="chat")
    assert scores[0].value >= 0.75
    assert json.loads((tuned.path / "config.json").read_text())["eos_token_id"] == tok.turn_end_id


def test_texts_are_read_again_beside_the_conversations(world, compute, tmp_path):
    """Their part of the tokens, of every domain alike, cut where rows end; and what is replayed is not forgotten."""
    tok, length = world["tok"], 32
    corpora = {}
    for name, count in (("long", 1), ("many", 60)):
        (tmp_path / name).mkdir()
        rows = [{"id": str(n), "text": " ".join(WORDS * (40 if count == 1 else 3))} for n in range(count)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name / "documents-00000.parquet")
        corpora[name] = Corpus(tmp_path / name, "k", "d", {})
    beside = [conversation_example(tok, c) for c in read_conversations(world["data"].path)]
    tokens = sum(min(length, len(e.tokens)) for e in beside)
    texts = {
        name: [" ".join(WORDS * times)] * count for name, times, count in (("long", 40, 1), ("many", 3, 60))
    }
    again = replayed(tok, texts, beside, length, 0.5, 0)
    assert sum(len(e.tokens) for e in again) == pytest.approx(tokens, abs=3 * length)
    assert all(e.weights.all() and len(e.tokens) <= length + 1 for e in again)
    assert not replayed(tok, texts, beside, length, 0.0, 0) and not replayed(tok, {}, beside, length, 0.5, 0)
    losses = {}
    for share in (0.0, 0.5):
        job = job_in(tmp_path / f"share-{share}")
        cfg = SftConfig(
            epochs=8, length=length, batch_tokens=128, replay_share=share, compute=compute,
            optim=OptimConfig(kind="adamw", lr=5e-3),
        )  # fmt: skip
        facts = sft(cfg, job, **inputs(world, "init", "tokenizer", "data"), replay=corpora)
        assert bool(facts["read_again"]) == (share > 0)
        reader = TorchLanguageModel(load_model(job.out))
        [found] = reader.logprobs([[tok.start_id]], [tok.encode(" ".join(WORDS * 3))])
        losses[share] = -found.total
    assert losses[0.5] < 0.7 * losses[0.0]


def test_pairs_are_ranked_by_the_items(world, tuned, compute, tmp_path):
    job = job_in(tmp_path)
    cfg = SamplePairsConfig(prompts=16, answers=6, temperature=3.0, max_new_tokens=8, compute=compute)
    facts = sample_pairs(cfg, job, model=tuned, **inputs(world, "tokenizer", "data"))
    pairs = read_pairs(job.out)
    assert facts["pairs"] == len(pairs) > 4
    for pair in pairs:
        word = pair.messages[-1]["content"].removeprefix("Say ")
        assert pair.chosen.strip().lower() == word
        assert pair.rejected.strip().lower() != word
        assert pair.margin >= 0.2
    again = job_in(tmp_path / "again")
    sample_pairs(cfg, again, model=tuned, **inputs(world, "tokenizer", "data"))
    assert (again.out / "pairs.jsonl").read_bytes() == (job.out / "pairs.jsonl").read_bytes()


def test_preference_optimisation_learns_the_ranking(world, tuned, compute, tmp_path):
    job = job_in(tmp_path)
    cfg = DpoConfig(
        epochs=20, length=64, pairs_per_step=4, compute=compute, optim=OptimConfig(kind="adamw", lr=1e-3)
    )
    facts = dpo(cfg, job, init=tuned, **inputs(world, "tokenizer", "pairs"))
    lines = [json.loads(line) for line in (job.out / "losses.jsonl").read_text().splitlines()]
    assert facts["pairs"] == 8 and len(lines) == 40
    assert lines[0]["margin"] == pytest.approx(0, abs=1e-3)  # at the start the model is its own reference
    assert facts["accuracy"] == 1.0 and facts["margin"] > 0.5


def test_reinforcement_raises_the_reward(world, tuned, compute, tmp_path):
    """The reward asks for a letter that the conversations did not teach to prefer."""
    (tmp_path / "data").mkdir()
    rule = {"kind": "checks", "checks": [{"name": "min_letter", "args": {"letter": "a", "count": 1}}]}
    write_lines(
        tmp_path / "data" / "conversations.jsonl", [talk(word, i, **rule) for i, word in enumerate(WORDS)]
    )
    cfg = GrpoConfig(
        rounds=30, questions=8, group=8, max_new_tokens=6, length=64, temperature=1.5, compute=compute,
        optim=OptimConfig(kind="adamw", lr=3e-3, embedding_lr=3e-3, norm_lr=3e-3, skip_deviations=0.0),
    )  # fmt: skip
    job = job_in(tmp_path)
    facts = grpo(
        cfg, job, init=tuned, tokenizer=world["tokenizer"], data=ChatData(tmp_path / "data", "k", "d")
    )
    rewards = [json.loads(line)["reward"] for line in (job.out / "losses.jsonl").read_text().splitlines()]
    assert np.mean(rewards[-5:]) > np.mean(rewards[:3]) + 0.2
    assert facts["reward"] == pytest.approx(np.mean(rewards[-5:]), abs=1e-5)


class StopAt(Log):
    """A log that stands for a kill: it raises when a given number of steps has been shown."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def progress(self, done, total, unit, note=""):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def short_course(kind, compute):
    """A stage, its config for a few steps, and the names of its inputs beside `init`."""
    given = {
        "length": 64,
        "optim": OptimConfig(kind="adamw", lr=1e-3, skip_deviations=0.0),
        "compute": compute,
    }
    return {
        "sft": (sft, SftConfig(epochs=3, batch_tokens=128, save_every_steps=2, **given), ("tokenizer", "data")),
        "dpo": (dpo, DpoConfig(epochs=3, pairs_per_step=2, save_every_steps=2, **given), ("tokenizer", "pairs")),
        "grpo": (grpo, GrpoConfig(rounds=4, questions=4, group=4, updates=2, max_new_tokens=6, kl_weight=0.05, temperature=2.0, save_every_steps=3, **given), ("tokenizer", "data")),
    }[kind]  # fmt: skip


@pytest.mark.parametrize("kind", ["sft", "dpo", "grpo"])
def test_a_killed_run_ends_as_an_uninterrupted_one(world, tuned, compute, tmp_path, kind):
    stage, cfg, names = short_course(kind, compute)
    whole = job_in(tmp_path / "whole")
    facts = stage(cfg, whole, init=tuned, **inputs(world, *names))
    for steps in (1, 4, 3):
        with pytest.raises(KeyboardInterrupt):
            stage(cfg, job_in(tmp_path / "cut", StopAt(steps)), init=tuned, **inputs(world, *names))
    cut = job_in(tmp_path / "cut")
    assert stage(cfg, cut, init=tuned, **inputs(world, *names)) == facts
    for name in ("model.safetensors", "config.json", "losses.jsonl"):
        assert (cut.out / name).read_bytes() == (whole.out / name).read_bytes()


@pytest.mark.parametrize("kind", ["sft", "dpo", "grpo"])
def test_tuning_runs_in_the_number_type_it_is_told(world, tuned, compute, tmp_path, kind):
    """Another type rounds otherwise, so no weight comes out quite the same."""
    weights = []
    for told in (compute, "bfloat16" if compute == "float32" else "float32"):
        stage, cfg, names = short_course(kind, told)
        job = job_in(tmp_path / told)
        stage(cfg, job, init=tuned, **inputs(world, *names))
        weights.append(load_model(job.out).parameters())
    assert not any(torch.equal(ours, other) for ours, other in zip(*weights, strict=True))


def test_a_round_without_a_difference_moves_nothing(world, tmp_path):
    hopeless = tmp_path / "data"
    hopeless.mkdir()
    write_lines(
        hopeless / "conversations.jsonl", [talk(word, i, answer="never said") for i, word in enumerate(WORDS)]
    )
    cfg = GrpoConfig(rounds=2, questions=4, group=2, max_new_tokens=4, length=64, compute="float32")
    job = job_in(tmp_path)
    grpo(cfg, job, init=world["init"], tokenizer=world["tokenizer"], data=ChatData(hopeless, "k", "d"))
    before, after = load_model(world["init"].path), load_model(job.out)
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True))


# -- what cannot be used -------------------------------------------------------------------------------


def test_questions_are_spread_over_skills_and_need_an_answer():
    talks = [
        Conversation(str(i), "ab"[i % 4 == 0], [*ask("cat"), {"role": "assistant", "content": "cat"}])
        for i in range(40)
    ]
    chosen = choose_questions(talks, 10, (), seed=0)
    assert sorted(q.skill for q in chosen) == ["a"] * 5 + ["b"] * 5
    assert chosen == choose_questions(talks[::-1], 10, (), seed=0)
    assert as_question(Conversation("1", "a", ask("cat"))) is None


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"id": "1"}', '{"messages": []}', '{"messages": [{"role": "user"}], "item": {"kind": "x"}}'],
)
def test_a_bad_line_is_named(tmp_path, line):
    (tmp_path / "conversations.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match="line 1"):
        read_conversations(tmp_path)


def test_nothing_to_learn_is_an_error(world, tmp_path):
    write_lines(tmp_path / "conversations.jsonl", [{"messages": ask("cat")}])
    data = ChatData(tmp_path, "k", "d")
    for stage, cfg in ((sft, SftConfig(length=64, compute="float32")), (grpo, GrpoConfig(compute="float32"))):
        with pytest.raises(InputError):
            stage(cfg, job_in(tmp_path), data=data, **inputs(world, "init", "tokenizer"))
    with pytest.raises(InputError):
        sample_pairs(
            SamplePairsConfig(compute="float32"),
            job_in(tmp_path),
            model=world["init"],
            tokenizer=world["tokenizer"],
            data=data,
        )


def test_impossible_settings_are_refused():
    for make in (lambda: SftConfig(epochs=0), lambda: DpoConfig(beta=0.0), lambda: GrpoConfig(group=1), lambda: SamplePairsConfig(answers=1)):  # fmt: skip
        with pytest.raises(ConfigError):
            make()


def test_an_answer_that_was_cut_off_has_no_end(world):
    tok = world["tok"]
    assert answer_example(tok, [5, 6], [7]).tokens.tolist() == [5, 6, 7, tok.turn_end_id]
    assert answer_example(tok, [5, 6], [7], ended=False).weights.tolist() == [0, 0, 1]
