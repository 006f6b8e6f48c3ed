"""Adapting a model: budgets by arithmetic, judgement that forgives no forgetting, rehearsal that is sound, halves apart."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count as counted
from pathlib import Path
from typing import Any

import families
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import WORDS, saying, talk, write_lines, write_pages

from smolforge.adapt import rehearsal
from smolforge.adapt.budget import (
    LEAST_BATCH,
    MOST_BATCH,
    MOST_PASSES,
    Budget,
    Rate,
    choose_method,
    free_memory_bytes,
    make_budget,
    measure,
    rate_of,
)
from smolforge.adapt.judging import ORIGINAL, Change, case_in_words, choose, compare
from smolforge.adapt.stages import (
    GENERAL_QUESTIONS,
    AdaptBudgetConfig,
    AdaptMixtureConfig,
    KeepBestConfig,
    RehearseConfig,
    SideBySideConfig,
    TokenizeChatsConfig,
    adapt_mixture,
    keep_best,
    rehearse_chats,
    rehearse_texts,
    side_by_side,
    size_adaptation,
    tokenize_chats,
)
from smolforge.artifacts import (
    ChatData,
    Checkpoint,
    DecisionHalf,
    EvalTexts,
    RawDocs,
    ReportHalf,
    Scores,
    Sizing,
    Tokenizer,
    TokenShards,
)
from smolforge.data.read.stages import own_folder, watched_folder
from smolforge.data.tokens.batches import Documents
from smolforge.errors import ConfigError, InputError
from smolforge.evals.half_stages import HalfConfig, decision_half, for_decision, report_half
from smolforge.evals.measured import Measured, read_measured
from smolforge.evals.stats import Interval
from smolforge.language_model import Logprob, Sampling
from smolforge.log import Log
from smolforge.model.config import LoraConfig, ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import save_model
from smolforge.questions.stages import (
    DocumentFactsConfig,
    HoldOutDocumentsConfig,
    hold_out_documents,
)
from smolforge.report.adaptation import ALL_SKILLS, OWN_QUESTIONS, OWN_TEXTS, Adaptation, Row, sentence
from smolforge.stage import Job
from smolforge.text.tokenizer import Tok, load_tokenizer
from smolforge.train.memory import training_bytes
from smolforge.units import format_bytes

SMOLLM2 = ModelConfig(
    vocab_size=49_152, hidden_size=576, intermediate_size=1_536, num_hidden_layers=30, num_attention_heads=9,
    num_key_value_heads=3, head_dim=64, max_position_embeddings=8_192,
)  # fmt: skip
"""The shape of the 135M model."""
LORA = LoraConfig()
FULL, SMALL = (training_bytes(SMOLLM2, lora, 4) for lora in (None, LORA))


def job_in(folder: Path) -> Job:
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Job(out=folder / "out", work=folder / "work", log=Log(), threads=1)


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


# -- full training or adapters -------------------------------------------------------------------------------


def test_all_weights_are_trained_where_that_fits() -> None:
    method, needed, reasons = choose_method("auto", SMOLLM2, LORA, FULL, 4)
    assert (method, needed) == ("full", FULL)
    assert len(reasons) == 1 and "all weights are trained" in reasons[0] and format_bytes(FULL) in reasons[0]


def test_adapters_are_trained_where_full_training_does_not_fit() -> None:
    method, needed, reasons = choose_method("auto", SMOLLM2, LORA, FULL - 1, 4)
    assert (method, needed) == ("lora", SMALL) and SMALL < FULL
    assert "adapters are trained instead" in reasons[0] and format_bytes(FULL) in reasons[0]


def test_what_the_recipe_says_is_done_and_said() -> None:
    method, needed, reasons = choose_method("lora", SMOLLM2, LORA, 10 * FULL, 4)
    assert (method, needed, reasons) == ("lora", SMALL, ["adapters, as the recipe says"])
    assert choose_method("full", SMOLLM2, LORA, FULL, 4) == (
        "full",
        FULL,
        ["full training, as the recipe says"],
    )


def test_full_training_that_does_not_fit_is_refused_with_two_ways_out() -> None:
    with pytest.raises(ConfigError) as caught:
        choose_method("full", SMOLLM2, LORA, FULL - 1, 4)
    assert format_bytes(FULL) in caught.value.what
    assert "method=lora" in caught.value.fix and "memory_gib" in caught.value.fix


@pytest.mark.parametrize("wanted", ["auto", "lora"])
def test_adapters_that_do_not_fit_are_refused(wanted: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        choose_method(wanted, SMOLLM2, LORA, SMALL - 1, 4)
    assert format_bytes(SMALL) in caught.value.what
    assert "smaller model" in caught.value.fix and "method=lora" not in caught.value.fix


def test_free_memory_is_no_more_than_there_is() -> None:
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 1 << 20 < free_memory_bytes() < there


# -- rates and tokens ----------------------------------------------------------------------------------------


def test_only_whole_steps_are_counted() -> None:
    rate = Rate(token_seconds=0.001, step_seconds=1.0)
    assert rate.tokens_in(10.0, 1000) == 5000
    assert rate.tokens_in(11.9, 1000) == 5000
    assert rate.tokens_in(0.1, 1000) == 1000  # one step at least


def tiny(positions: int = 64) -> Llama:
    model = Llama(
        ModelConfig(
            vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=1, head_dim=16, max_position_embeddings=positions,
        )
    )  # fmt: skip
    model.initialise(0)
    return model


def test_measuring_leaves_the_model_as_it_was() -> None:
    model = tiny()
    before = [weight.detach().clone() for weight in model.parameters()]
    rate = measure(model, 64, 256)
    assert rate.token_seconds > 0 and rate.step_seconds > 0
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert all(weight.grad is None for weight in model.parameters())


def test_adapters_are_measured_as_adapters() -> None:
    made = tiny()
    assert rate_of(lambda: made, LoraConfig(rank=2), 64, 256).token_seconds > 0
    trained = {name for name, weight in made.named_parameters() if weight.requires_grad}
    assert trained and all(".adapter." in name for name in trained)


def budget(rate: Rate = Rate(1e-3, 0.5), **given: Any) -> Budget:  # noqa: B008
    plain: dict[str, Any] = {
        "seconds": 900.0, "tune_share": 0.25, "document_tokens": 10**7, "replay_share": 0.3,
        "chat_tokens": 10**6, "length": 512,
    }  # fmt: skip
    return make_budget("full", FULL, ["because"], rate, **{**plain, **given})


BUDGETS = {
    "token_seconds": st.floats(1e-7, 0.1),
    "step_seconds": st.floats(0, 60),
    "seconds": st.floats(1, 1e6),
    "tune_share": st.floats(0, 0.95),
    "document_tokens": st.integers(1, 10**10),
    "replay_share": st.floats(0, 0.95),
    "chat_tokens": st.integers(0, 10**9),
    "length": st.integers(16, 8192),
}


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries(BUDGETS))
def test_a_budget_keeps_to_time_passes_and_whole_batches(given_: dict[str, Any]) -> None:
    rate = Rate(given_.pop("token_seconds"), given_.pop("step_seconds"))
    found = budget(rate, **given_)
    batch, length = found.batch_tokens, given_["length"]
    tune_share = given_["tune_share"] if given_["chat_tokens"] else 0.0
    assert batch % length == 0
    assert batch == length or LEAST_BATCH - length / 2 <= batch <= MOST_BATCH + length / 2
    assert found.document_tokens % batch == found.tune_tokens % batch == 0 < found.document_tokens

    def seconds(tokens: int) -> float:
        return tokens * rate.token_seconds + tokens / batch * rate.step_seconds

    if found.document_tokens > batch:
        assert seconds(found.document_tokens) <= given_["seconds"] * (1 - tune_share) * (1 + 1e-9)
    if found.tune_tokens > batch:
        assert seconds(found.tune_tokens) <= given_["seconds"] * tune_share * (1 + 1e-9)
    assert found.seconds == pytest.approx(seconds(found.document_tokens) + seconds(found.tune_tokens))

    own = found.document_tokens * (1 - given_["replay_share"])
    assert own <= MOST_PASSES * given_["document_tokens"] + batch  # the last batch is whole
    assert found.tune_tokens <= 2 * given_["chat_tokens"] + batch
    assert (found.tune_tokens == 0) == (given_["chat_tokens"] == 0)


def test_the_time_is_used_where_there_is_enough_to_learn() -> None:
    found = budget()
    assert found.document_tokens == pytest.approx(0.75 * 900 / (1e-3 + 0.5 / found.batch_tokens), rel=0.03)
    assert found.tune_tokens == pytest.approx(0.25 * 900 / (1e-3 + 0.5 / found.batch_tokens), rel=0.06)
    assert 850 < found.seconds <= 900
    assert found.reasons[0] == "because" and found.memory_bytes == FULL
    assert not any("time is left over" in reason for reason in found.reasons)


def test_little_text_is_not_repeated_more_than_four_times_and_that_is_said() -> None:
    found = budget(document_tokens=50_000)
    own = 0.7 * found.document_tokens
    assert 4 * 50_000 <= own < 4 * 50_000 + found.batch_tokens
    assert found.seconds < 600
    assert found.reasons[-1] == "more than 4 passes over the documents teach little, so time is left over"
    assert any(f"{own / 50_000:.1f} passes" in reason for reason in found.reasons)


def test_replay_lengthens_what_the_documents_allow() -> None:
    alone, beside = (budget(document_tokens=50_000, replay_share=share) for share in (0.0, 0.5))
    assert beside.document_tokens == pytest.approx(2 * alone.document_tokens, abs=2 * alone.batch_tokens)


def test_without_conversations_there_is_nothing_to_tune_on() -> None:
    found = budget(chat_tokens=0)
    assert found.tune_tokens == 0
    assert any("none for conversations: there are none" in reason for reason in found.reasons)
    assert 850 < found.seconds <= 900, "its time goes to the documents"


def test_a_small_folder_is_learned_in_many_steps_and_not_in_one() -> None:
    found = budget(Rate(1 / 3000, 0.02), document_tokens=5_000, chat_tokens=20_000)
    assert found.batch_tokens == LEAST_BATCH
    assert found.document_tokens >= 14 * found.batch_tokens


def test_batches_grow_where_steps_of_the_optimiser_are_dear() -> None:
    found = budget(Rate(1 / 500, 1.0))
    steps = (found.document_tokens + found.tune_tokens) / found.batch_tokens
    assert steps * 1.0 <= 0.11 * found.seconds


@pytest.mark.parametrize(
    "wrong",
    [{"minutes": 0}, {"minutes": 1, "train_share": 0.0}, {"minutes": 1, "tune_share": 1.0},
     {"minutes": 1, "memory_gib": -1.0}, {"minutes": 1, "length": 8}, {"minutes": 1, "tune_factor": 0.0}],
)  # fmt: skip
def test_impossible_budgets_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        AdaptBudgetConfig(**wrong)


def test_other_impossible_settings_are_refused() -> None:
    makes: list[Callable[[], Any]] = [
        lambda: AdaptMixtureConfig(text_share=0.5, chat_share=0.5, statement_share=0.0), lambda: AdaptMixtureConfig(text_share=-0.1),
        lambda: RehearseConfig(count=0), lambda: RehearseConfig(count=1, temperature=0.0),
        lambda: HoldOutDocumentsConfig(share=0.5), lambda: DocumentFactsConfig(held_out_share=1.0),
    ]  # fmt: skip
    for make in makes:
        with pytest.raises(ConfigError):
            make()


# -- which state is kept -------------------------------------------------------------------------------------


def measured(
    own: int = 5, general: int = 60, own_bits: float = 1.0, general_bits: float = 1.0, *, texts: int = 6
) -> Measured:
    """Ten questions about the documents, a hundred others, some texts; so many are right, so many bits a byte."""
    right = {("documents", f"q{n}"): n < own for n in range(10)}
    right |= {("code" if n % 2 else "knowledge", f"g{n}"): n < general for n in range(100)}
    bits = {("own_web", f"t{n}"): (own_bits * 8000.0, 1000.0) for n in range(texts)}
    bits |= {("web", f"w{n}"): (general_bits * 8000.0, 1000.0) for n in range(texts)}
    return Measured(right, bits)


def test_the_state_that_gained_most_is_kept() -> None:
    states = {ORIGINAL: measured(), "1-a": measured(own=7), "2-b": measured(own=9), "3-c": measured(own=8)}
    kept, cases = choose(states, 0.03)
    assert kept == "2-b"
    assert [(case["state"], case["gain_points"] / 100, case["out"]) for case in cases] == [
        (ORIGINAL, 0.0, ""), ("1-a", 0.2, ""), ("2-b", 0.4, ""), ("3-c", 0.3, "")
    ]  # fmt: skip


def test_a_point_of_questions_counts_like_a_percent_of_bits() -> None:
    states = {ORIGINAL: measured(), "1-a": measured(own=6), "2-b": measured(own_bits=0.85)}
    kept, cases = choose(states, 0.03)
    assert kept == "2-b" and [case["gain_points"] for case in cases] == [0.0, 10.0, 15.0]


def test_a_skill_that_the_original_never_had_hides_no_forgetting() -> None:
    had = {("code", str(n)): True for n in range(20)}
    lost = {key: int(key[1]) >= 6 for key in had}
    never = {("mathematics", str(n)): False for n in range(200)}
    alone = compare(Measured(had, {}), Measured(lost, {}))
    beside = compare(Measured({**had, **never}, {}), Measured({**lost, **never}, {}))
    assert beside.general_skills == alone.general_skills
    assert beside.spoilt(0.03)


def test_a_state_that_forgot_general_skills_is_out_however_much_it_learned() -> None:
    """Twenty of a hundred lost leaves zero outside the interval; one of a hundred does not."""
    states = {ORIGINAL: measured(), "1-a": measured(own=6, general=59), "2-b": measured(own=10, general=40)}
    assert compare(states[ORIGINAL], states["2-b"]).general_skills.high < 0  # type: ignore[union-attr]
    assert compare(states[ORIGINAL], states["1-a"]).general_skills.high > 0  # type: ignore[union-attr]
    kept, cases = choose(states, 0.03)
    assert kept == "1-a"
    assert cases[2]["out"].startswith("general skills got worse by 20.0 points [-")
    assert cases[1]["out"] == ""


@pytest.mark.parametrize(("worse", "kept"), [(1.029, "1-a"), (1.031, ORIGINAL), (1.5, ORIGINAL)])
def test_a_state_that_reads_general_texts_worse_than_allowed_is_out(worse: float, kept: str) -> None:
    found, cases = choose({ORIGINAL: measured(), "1-a": measured(own=10, general_bits=worse)}, 0.03)
    assert found == kept
    assert cases[1]["out"] == ("" if kept == "1-a" else f"general texts are read {worse - 1:.1%} worse")


def test_ones_own_texts_may_be_read_worse_where_the_questions_outweigh_it() -> None:
    kept, _ = choose({ORIGINAL: measured(), "1-a": measured(own=8, own_bits=1.1)}, 0.03)
    assert kept == "1-a"


@pytest.mark.parametrize("other", [measured(), measured(own=4), measured(own=6, own_bits=1.2)])
def test_the_original_is_kept_where_nothing_is_better(other: Measured) -> None:
    assert choose({ORIGINAL: measured(), "1-a": other}, 0.03)[0] == ORIGINAL


def test_a_gain_that_chance_may_have_given_is_called_so() -> None:
    """Two of ten questions are within what chance gives; a tenth less on every text is not."""
    states = {
        ORIGINAL: measured(),
        "1-a": measured(own=7),
        "2-b": measured(own_bits=0.9),
        "3-c": measured(own=4),
    }
    words = [case_in_words(case) for case in choose(states, 0.03)[1]]
    assert words == [
        "what all others are held against",
        "+20.0 points at your own matter, which may be chance",
        "+10.0 points at your own matter",
        "-10.0 points at your own matter",
    ]


def test_only_what_both_have_is_compared() -> None:
    before, after = measured(own=5), measured(own=5)
    more = Measured(
        {**after.right, **{("documents", f"new{n}"): True for n in range(50)}, ("new_skill", "x"): False},
        {**after.bits, ("own_web", "new"): (1.0, 1000.0), ("prose", "new"): (9e9, 1.0)},
    )
    less = Measured(
        {**before.right, **{("documents", f"old{n}"): True for n in range(50)}},
        {**before.bits, ("web", "old"): (9e9, 1.0)},
    )
    assert compare(less, more) == compare(before, after)
    assert compare(less, more).gain == 0


def test_what_was_not_measured_is_none_and_decides_nothing() -> None:
    nothing = Measured({}, {})
    change = compare(nothing, measured())
    assert change == Change(None, None, None, None) and change.gain == 0 and change.spoilt(0.0) == ""
    kept, cases = choose({ORIGINAL: nothing, "1-a": measured()}, 0.03)
    assert kept == ORIGINAL and cases[1]["general_skills"] is None


def test_bounds_that_are_not_known_are_valid_json() -> None:
    """One text alone has no interval."""
    _, cases = choose({ORIGINAL: measured(texts=1), "1-a": measured(own_bits=0.5, texts=1)}, 0.03)
    assert cases[1]["own_texts"] == [-0.5, None, None]
    json.dumps(cases, allow_nan=False)


STATE = st.tuples(st.integers(0, 10), st.integers(0, 100), st.floats(0.5, 1.5), st.floats(0.9, 1.1))


@settings(max_examples=80, deadline=None)
@given(STATE, st.lists(STATE, max_size=4), st.floats(0, 0.08))
def test_what_is_kept_is_never_spoilt_and_never_second_best(
    original: tuple[int, int, float, float], others: list[tuple[int, int, float, float]], allowed: float
) -> None:
    states = {ORIGINAL: measured(*original), **{f"{n}-x": measured(*one) for n, one in enumerate(others, 1)}}
    kept, cases = choose(states, allowed)
    assert [case["state"] for case in cases] == sorted(states)
    sound = {}
    for name, state in states.items():
        change = compare(states[ORIGINAL], state)
        forgot = change.general_skills is not None and change.general_skills.high < 0
        if name == ORIGINAL or not (
            forgot or state.bits["web", "w0"][0] > (1 + allowed) * 8000 * original[3]
        ):
            sound[name] = change.gain
    assert kept in sound and sound[kept] == max(sound.values())
    assert kept == ORIGINAL or sound[kept] > 0


def write_scores(folder: Path, one: Measured) -> Scores:
    folder.mkdir(parents=True)
    samples = [{"skill": s, "id": i, "right": right, "answer": "…"} for (s, i), right in one.right.items()]
    bits = [{"domain": d, "id": i, "bits": b, "bytes": n} for (d, i), (b, n) in one.bits.items()]
    write_lines(folder / "samples.jsonl", samples)
    write_lines(folder / "bits.jsonl", bits)
    return Scores(folder, "k", "d")


def test_scores_are_read_as_they_were_written(tmp_path: Path) -> None:
    one = measured(own=3, general_bits=1.25)
    assert read_measured(write_scores(tmp_path / "scores", one).path) == one
    assert read_measured(tmp_path) == Measured({}, {})


# -- what the report says of it ------------------------------------------------------------------------------


def row(name: str, value: float, low: float, high: float, *, is_bits: bool = False) -> Row:
    return Row("yours", name, 0.5, 0.5 + value, Interval(value, low, high), 20, is_bits, is_sum=True)


@pytest.mark.parametrize(
    ("change", "is_bits", "verdict"),
    [((0.2, 0.1, 0.3), False, "better"), ((-0.2, -0.3, -0.1), False, "worse"), ((0.2, -0.1, 0.5), False, "within noise"),
     ((-0.2, -0.3, -0.1), True, "better"), ((0.2, 0.1, 0.3), True, "worse"), ((0.0, 0.0, 0.0), True, "within noise")],
)  # fmt: skip
def test_a_change_counts_only_where_its_interval_leaves_out_zero(
    change: tuple[float, float, float], is_bits: bool, verdict: str
) -> None:
    assert row("x", *change, is_bits=is_bits).verdict == verdict


def test_the_report_tells_the_adaptation_in_a_sentence() -> None:
    rows = [
        row(OWN_QUESTIONS, 0.25, 0.1, 0.4),
        row(OWN_TEXTS, -0.1, -0.2, -0.05, is_bits=True),
        row(ALL_SKILLS, -0.01, -0.1, 0.1),
    ]
    told = sentence(Adaptation(rows, "2-conversations", [], [], [], []), "smollm2")
    assert told == (
        "smollm2, adapted. questions about your documents 50% → 75% right (better); your held-out documents "
        "0.500 → 0.400 bits per byte (better); general skills 50% → 49% right (within noise)."
    )
    assert "the original was kept" in sentence(Adaptation(rows, ORIGINAL, [], [], [], []), "")
    assert sentence(Adaptation([], "", [], [], [], []), "smollm2") == ""


# -- rehearsal -----------------------------------------------------------------------------------------------

ENDLESS = "\ue0ff"
"""At the end of a scripted text: the model does not end here."""


@dataclass
class Scripted:
    """Writes given questions and texts one after the other, and to each question the given answer."""

    tok: Tok
    written: Sequence[str]
    answers: Mapping[str, str] = field(default_factory=dict)
    asked: list[tuple[list[list[int]], Sampling, Sequence[int]]] = field(default_factory=list)
    begun: int = 0

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        how: Sampling,
        stop: Sequence[int] = (),
        ended: Any = None,
        told: Any = None,
    ) -> list[list[int]]:
        self.asked.append(([list(prompt) for prompt in prompts], how, stop))
        return [self._ids(self._text(list(prompt)), how.max_new_tokens) for prompt in prompts]

    def logprobs(self, prompts: Any, continuations: Any) -> list[Logprob]:
        raise AssertionError("nothing is compared here")

    def _text(self, prompt: list[int]) -> str:
        said = self.tok.decode(prompt)
        if said.endswith("<|im_start|>assistant\n"):
            question = said.rpartition("user\n")[2].partition("<|im_end|>")[0]
            return self.answers.get(question, "Yes, that is so.")
        self.begun += 1
        place = self.begun - 1
        return self.written[place] if place < len(self.written) else f"Is it number {place}?"

    def _ids(self, text: str, most: int) -> list[int]:
        more = "".join(f" and {n}" for n in range(most)) if text.endswith(ENDLESS) else ""
        return self.tok.encode(text.removesuffix(ENDLESS) + more)[:most]


@pytest.fixture(scope="module")
def tok(tmp_path_factory: pytest.TempPathFactory) -> Tok:
    """With a template of its own, which puts a system turn before everything."""
    folder = tmp_path_factory.mktemp("tok")
    families.write_tokenizer("smollm", folder)
    return load_tokenizer(folder)


HOW = rehearsal.Rehearsal()


def rehearsed(
    tok: Tok, written: Sequence[str], answers: Mapping[str, str], count: int = 0
) -> list[dict[str, Any]]:
    model = Scripted(tok, written, answers)
    return list(rehearsal.chats(model, tok, count or len(written), HOW, lambda _: None))


def questions(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [row["messages"][0]["content"] for row in rows]


def test_a_conversation_is_a_question_and_its_answer(tok: Tok) -> None:
    rows = rehearsed(tok, ["  Who was the cat? "], {"Who was the cat?": " Nobody knows. "})
    assert rows == [
        {
            "id": "rehearsed-0",
            "skill": "general",
            "messages": [
                {"role": "user", "content": "Who was the cat?"},
                {"role": "assistant", "content": "Nobody knows."},
            ],
        }
    ]


def test_questions_that_are_no_questions_are_left_out(tok: Tok) -> None:
    written = [
        "Too short",
        "What is the sum?" + ENDLESS,
        "go on and go on and go on and go on and go on and go on",
        "Tell me <|im of this",
        "",
        "Where is the sea?",
        " ".join(f"w{n}" for n in range(151)),
        "where IS the sea?",
        "Where is the hat?",
    ]
    assert questions(rehearsed(tok, written, {})) == ["Where is the sea?", "Where is the hat?"]


def test_a_question_that_comes_again_in_a_later_batch_is_left_out(tok: Tok) -> None:
    written = [f"Is it number {n}?" for n in range(rehearsal.AT_ONCE)] + [
        "Is it number 7?",
        "Is it another one?",
    ]
    assert questions(rehearsed(tok, written, {}))[-2:] == [
        f"Is it number {rehearsal.AT_ONCE - 1}?",
        "Is it another one?",
    ]


def test_answers_that_are_no_answers_are_left_out(tok: Tok) -> None:
    answers = {
        "Is this the first?": "",
        "Is this the second?": "It never ends." + ENDLESS,
        "Is this the third?": "so it is and " * 12,
        "Is this the fourth?": "It is.",
    }
    rows = rehearsed(tok, list(answers), answers)
    assert questions(rows) == ["Is this the fourth?"]


def test_as_many_are_asked_for_as_were_wanted_under_ids_of_their_own(tok: Tok) -> None:
    count = 2 * rehearsal.AT_ONCE + 5
    model, ticks = Scripted(tok, []), []
    rows = list(rehearsal.chats(model, tok, count, HOW, ticks.append))
    prefix = rehearsal.user_prefix(tok)
    asked = [prompts for prompts, *_ in model.asked if prompts[0] == prefix]
    assert [len(prompts) for prompts in asked] == [rehearsal.AT_ONCE, rehearsal.AT_ONCE, 5]
    assert len(rows) == len({row["id"] for row in rows}) == count
    assert ticks == [rehearsal.AT_ONCE, 2 * rehearsal.AT_ONCE, count]
    assert len({how.seed for _, how, _ in model.asked}) == len(model.asked) == 6
    assert all(set(stop) == set(tok.end_ids) for *_, stop in model.asked)
    soberly = {how.temperature for prompts, how, _ in model.asked if prompts[0] != prefix}
    assert soberly == {HOW.answer_temperature}


def test_a_question_is_begun_after_the_default_system_turn(tok: Tok) -> None:
    prefix = rehearsal.user_prefix(tok)
    assert tok.decode(prefix) == "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n"
    assert prefix[0] == tok.specials["<|im_start|>"]
    chat = tok.encode_chat([{"role": "user", "content": "Where is the sea?"}], None, True)[0]
    assert chat[: len(prefix)] == prefix


def test_an_answer_is_asked_for_in_the_models_own_template(tok: Tok) -> None:
    model = Scripted(tok, ["Where is the sea?"])
    list(rehearsal.chats(model, tok, 1, HOW, lambda _: None))
    assert [tok.decode(prompt) for prompt in model.asked[-1][0]] == [
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nWhere is the sea?<|im_end|>\n<|im_start|>assistant\n"
    ]


def test_texts_begin_after_nothing_and_are_sound(tok: Tok) -> None:
    sound = " ".join(f"word{n}" for n in range(20))
    written = [sound, "too short", "round and round it goes " * 9, sound + " end"]
    model = Scripted(tok, written)
    found = list(rehearsal.texts(model, tok, len(written), HOW, lambda _: None))
    assert found == [("rehearsed-0", sound), ("rehearsed-3", sound + " end")]
    assert model.asked[0][0] == [[tok.start_id]] * len(written)


def test_no_round_is_begun_that_would_end_too_late(tok: Tok, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 10))  # each look at it is ten seconds later
    monkeypatch.setattr(rehearsal.time, "monotonic", lambda: float(next(clock)))
    sound = " ".join(f"word{n}" for n in range(30))
    told: list[int] = []
    how = replace(HOW, seconds=65.0)
    count = 6 * rehearsal.AT_ONCE
    assert list(rehearsal.texts(Scripted(tok, [sound] * count), tok, count, how, told.append))
    assert told[-1] == 5 * rehearsal.AT_ONCE, "a sixth would end after 72 seconds"
    told.clear()
    assert list(
        rehearsal.texts(Scripted(tok, [sound] * count), tok, count, replace(HOW, seconds=1.0), told.append)
    )
    assert told[-1] == rehearsal.AT_ONCE, "the first round is always asked"


def test_texts_have_ids_of_their_own_over_batches(tok: Tok) -> None:
    numbers = counted()
    written = [" ".join(f"w{next(numbers)}" for _ in range(20)) for _ in range(rehearsal.AT_ONCE + 3)]
    found = list(rehearsal.texts(Scripted(tok, written), tok, len(written), HOW, lambda _: None))
    assert [text for _, text in found] == written and len({id for id, _ in found}) == len(written)


@pytest.mark.parametrize(
    ("text", "sound"),
    [("one two three", True), ("one two", False), (" ".join(map(str, range(150))), True),
     (" ".join(map(str, range(151))), False), ("what is <|im_end|> here", False), ("a b c d " * 2, True),
     ("a b c d " * 4, False)],
)  # fmt: skip
def test_what_can_be_a_users_turn(text: str, sound: bool) -> None:
    assert rehearsal.is_sound(text) is sound


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, Tokenizer]:
    """A model that only continues texts: its tokenizer has no chat template."""
    root = tmp_path_factory.mktemp("base")
    families.write_tokenizer("gpt2", root / "tokenizer")
    vocabulary = load_tokenizer(root / "tokenizer").vocab_size
    model = Llama(
        ModelConfig(
            vocab_size=vocabulary, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=1, head_dim=8, max_position_embeddings=512,
        )
    )  # fmt: skip
    model.initialise(0)
    save_model(root / "model", model)
    return Checkpoint(root / "model", "k", "d"), Tokenizer(root / "tokenizer", "k", "d")


def test_a_model_without_a_chat_template_has_no_conversations(
    base: tuple[Checkpoint, Tokenizer], tmp_path: Path
) -> None:
    cfg, job = RehearseConfig(count=5, compute="float32"), job_in(tmp_path)
    facts = rehearse_chats(cfg, job, model=base[0], tokenizer=base[1])
    assert facts["conversations"] == facts["asked"] == 0
    assert (job.out / "conversations.jsonl").read_bytes() == b""


def test_rehearsed_texts_do_not_repeat_what_is_held_out(
    base: tuple[Checkpoint, Tokenizer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, free = ([f"{start}{n}" for n in range(40)] for start in ("held", "free"))
    said = [("1", " ".join(held)), ("2", " ".join(free))]
    monkeypatch.setattr(rehearsal, "texts", lambda *how: how[-1](2) or iter(said))
    (tmp_path / "held").mkdir()
    write_lines(tmp_path / "held" / "texts-web.jsonl", [{"id": "x", "text": " ".join(held)}])
    cfg, job = RehearseConfig(count=2, compute="float32"), job_in(tmp_path)
    held_out = EvalTexts(tmp_path / "held", "k", "d")
    facts = rehearse_texts(cfg, job, model=base[0], tokenizer=base[1], held_out=held_out)
    assert facts == {
        "documents": 1,
        "bytes": len(" ".join(free)),
        "asked": 2,
        "contaminated": 1,
        "items_met": 1,
    }
    rows = [row for file in job.out.glob("documents-*.parquet") for row in pq.read_table(file).to_pylist()]
    assert [(row["id"], row["text"]) for row in rows] == [("2", " ".join(free))]


def test_the_same_seed_says_the_same_again(base: tuple[Checkpoint, Tokenizer], tmp_path: Path) -> None:
    def said(name: str, seed: int) -> list[dict[str, Any]]:
        job = job_in(tmp_path / name)
        rehearse_texts(
            RehearseConfig(count=12, compute="float32", seed=seed), job, model=base[0], tokenizer=base[1]
        )
        return [
            row for file in job.out.glob("documents-*.parquet") for row in pq.read_table(file).to_pylist()
        ]

    assert said("one", 1) == said("two", 1) != said("three", 2)


# -- what is held out -----------------------------------------------------------------------------------------


def held_out(root: Path, pages: int, share: float = 0.06) -> tuple[Mapping[str, Any], list[str], list[str]]:
    """Facts, ids of the folder's documents, ids of those that are held out."""
    write_pages(root / "data", pages)
    raw, job = job_in(root / "raw"), job_in(root / "held")
    own_folder(watched_folder(str(root / "data")), raw)
    facts = hold_out_documents(HoldOutDocumentsConfig(share=share), job, raw=RawDocs(raw.out, "k", "d"))
    found = [row["id"] for file in raw.out.glob("*.parquet") for row in pq.read_table(file).to_pylist()]
    return facts, found, [row["id"] for file in sorted(job.out.iterdir()) for row in read(file)]


@pytest.mark.parametrize(("pages", "share"), [(6, 0.06), (24, 0.06), (24, 0.3)])
def test_enough_is_held_out_of_a_small_folder_for_both_halves(
    tmp_path: Path, pages: int, share: float
) -> None:
    facts, documents, held = held_out(tmp_path, pages, share)
    assert facts == {"texts": len(held), "texts_own_prose": len(held)}
    assert 2 <= len(held) <= len(documents) / 2 and set(held) <= set(documents)
    found = halves(tmp_path, {"documents": EvalTexts(tmp_path / "held" / "out", "k", "d")})
    assert all(found[half]["texts-own_prose.jsonl"] for half in ("decision", "report"))


def test_a_larger_share_holds_out_the_same_and_more(tmp_path: Path) -> None:
    *_, few = held_out(tmp_path / "few", 40, 0.1)
    *_, many = held_out(tmp_path / "many", 40, 0.3)
    assert 2 <= len(few) < len(many) and set(few) < set(many)


def test_copies_of_a_document_are_held_out_once(tmp_path: Path) -> None:
    write_pages(tmp_path / "data", 24)
    for page in sorted((tmp_path / "data").iterdir()):
        (tmp_path / "data" / f"copy of {page.name}").write_bytes(page.read_bytes())
    raw, job = job_in(tmp_path / "raw"), job_in(tmp_path / "held")
    own_folder(watched_folder(str(tmp_path / "data")), raw)
    hold_out_documents(HoldOutDocumentsConfig(share=0.45), job, raw=RawDocs(raw.out, "k", "d"))
    texts = [row["text"] for file in job.out.iterdir() for row in read(file)]
    assert len(texts) == len(set(texts)) >= 8


def test_a_folder_too_small_to_hold_out_of_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fewer than 2 documents"):
        held_out(tmp_path, 1)


# -- halves --------------------------------------------------------------------------------------------------


def part(folder: Path, **files: int) -> EvalTexts:
    """Files `kind_name` with so many lines each; ids are their own over all files."""
    folder.mkdir(parents=True)
    for name, lines in files.items():
        rows = [{"id": f"{folder.name}/{name}/{n}", "text": "ä" * n} for n in range(lines)]
        write_lines(folder / f"{name.replace('_', '-', 1)}.jsonl", rows)
    return EvalTexts(folder, "k", "d")


def halves(root: Path, parts: Mapping[str, EvalTexts], share: float = 0.4) -> dict[str, dict[str, list[str]]]:
    found = {}
    for half, part_of in (("decision", decision_half), ("report", report_half)):
        job = job_in(root / half)
        facts = part_of(HalfConfig(decision_share=share), job, parts=parts)
        found[half] = {file.name: file.read_text("utf-8").splitlines() for file in job.out.iterdir()}
        for kind in ("items", "texts"):
            lines = [line for name, some in found[half].items() if name.startswith(kind) for line in some]
            assert facts[kind] == len(lines)
    return found


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 12), min_size=1, max_size=3), share=st.floats(0, 1))
def test_halves_are_apart_and_together_the_whole(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], share: float
) -> None:
    root = tmp_path_factory.mktemp("halves")
    parts = {
        f"p{n}": part(root / f"p{n}", **{f"items_s{n}": size, f"texts_d{n}": size})
        for n, size in enumerate(sizes)
    }
    found = halves(root, parts, share)
    for one in parts.values():
        for file in one.path.iterdir():
            lines = file.read_text("utf-8").splitlines()
            deciding, reported = (found[half].get(file.name, []) for half in ("decision", "report"))
            assert not set(deciding) & set(reported)
            assert sorted(deciding + reported) == sorted(lines)
            assert [line for line in lines if line in deciding] == deciding  # in their order
            if len(lines) >= 2:
                assert deciding and reported


def test_tasks_for_reports_alone_are_whole_in_the_report(tmp_path: Path) -> None:
    found = halves(
        tmp_path, {"one": part(tmp_path / "one", items_triviaqa=9, items_nq_open=3, items_arc_easy=5)}
    )
    assert set(found["decision"]) == {"items-arc_easy.jsonl"}
    assert len(found["report"]["items-triviaqa.jsonl"]) == 9


def test_a_decision_cannot_read_a_report(tmp_path: Path) -> None:
    """Whatever measures, explains or tries for a mixture refuses what is not the decision half, before a line is read."""
    from smolforge.mix import stages as mix

    whole = part(tmp_path / "whole", items_arc_easy=5)
    other: Any = ReportHalf(tmp_path / "nowhere", "k", "d")
    nothing = Tokenizer(tmp_path, "k", "d"), Checkpoint(tmp_path, "k", "d")
    for texts in (other, whole):
        with pytest.raises(InputError, match="decision half alone"):
            for_decision(texts)
        with pytest.raises(InputError, match="decision half alone"):
            mix.measure_skills(
                mix.MeasureConfig(),
                job_in(tmp_path / "m"),
                tokenizer=nothing[0],
                model=nothing[1],
                texts=texts,
            )
    deciding: Any = DecisionHalf(tmp_path / "deciding", "k", "d")
    assert for_decision(deciding) == tmp_path / "deciding"


def test_a_single_text_is_for_the_report(tmp_path: Path) -> None:
    found = halves(tmp_path, {"one": part(tmp_path / "one", texts_own_web=1)})
    assert found["decision"] == {} and len(found["report"]["texts-own_web.jsonl"]) == 1


def test_which_half_depends_on_the_id_alone(tmp_path: Path) -> None:
    """So that a folder that grows does not change sides."""
    one = part(tmp_path / "one", items_code=20)
    turned = tmp_path / "turned"
    turned.mkdir()
    lines = (one.path / "items-code.jsonl").read_text().splitlines(keepends=True)
    (turned / "items-code.jsonl").write_text("".join(reversed(lines)))
    first = halves(tmp_path / "a", {"x": one})
    second = halves(tmp_path / "b", {"y": EvalTexts(turned, "k", "d")})
    for half in first:
        assert sorted(first[half]["items-code.jsonl"]) == sorted(second[half]["items-code.jsonl"])
    assert len(first["decision"]["items-code.jsonl"]) == 8


def test_parts_with_files_of_one_name_are_put_together(tmp_path: Path) -> None:
    parts = {name: part(tmp_path / name, texts_web=5) for name in ("one", "two")}
    found = halves(tmp_path, parts)
    assert [len(found[half]["texts-web.jsonl"]) for half in ("decision", "report")] == [4, 6]


# -- the mixture ---------------------------------------------------------------------------------------------


TRAINED = 10_000
"""Tokens that the sizing found time for."""


def mixed(folder: Path, cfg: AdaptMixtureConfig, **tokens: int) -> tuple[Mapping[str, Any], dict[str, Any]]:
    shards = {name: TokenShards(folder, "k", "d", {"tokens": count}) for name, count in tokens.items()}
    job = job_in(folder)
    (folder / "sizing.json").write_text(json.dumps({"phase_tokens": {"documents": TRAINED}}))
    facts = adapt_mixture(cfg, job, shards=shards, sizing=Sizing(folder, "k", "d"))
    return facts, json.loads((job.out / "mixture.json").read_text())


OWN = ("web", "prose", "code")
TOKENS = {name: st.integers(0, 10**9) for name in (*OWN, "replayed_text", "replayed_chat", "statements")}
SHARES = {name: st.floats(0, 0.3) for name in ("text_share", "chat_share", "statement_share")}


@settings(max_examples=80, deadline=None)
@given(tokens=st.fixed_dictionaries(TOKENS), shares=st.fixed_dictionaries(SHARES))
def test_shares_sum_to_one_and_nothing_empty_has_one(
    tmp_path_factory: pytest.TempPathFactory, tokens: dict[str, int], shares: dict[str, float]
) -> None:
    cfg, folder = AdaptMixtureConfig(**shares), tmp_path_factory.mktemp("mixture")
    own = {name: tokens[name] for name in OWN if tokens[name]}
    if not own:
        with pytest.raises(InputError, match="no document"):
            mixed(folder, cfg, **tokens)
        return
    facts, plain = mixed(folder, cfg, **tokens)
    weights = plain["weights"]
    assert sum(weights.values()) == pytest.approx(1.0, abs=1e-9)
    assert all(tokens[name] and weight > 0 for name, weight in weights.items()) and set(own) <= set(weights)
    assert weights.get("replayed_text", 0) == (cfg.text_share if tokens["replayed_text"] else 0)
    assert weights.get("replayed_chat", 0) == (cfg.chat_share if tokens["replayed_chat"] else 0)
    of_own, stated = sum(weights[name] for name in own), weights.get("statements", 0)
    for name, count in own.items():
        assert weights[name] / of_own == pytest.approx(count / sum(own.values()))
    assert facts["replay_share"] == pytest.approx(1 - of_own - stated, abs=1e-5)
    assert stated <= cfg.statement_share * (1 - facts["replay_share"]) + 1e-6
    passes = stated * TRAINED / max(1, tokens["statements"])
    assert passes <= MOST_PASSES * (1 + 1e-6)
    if stated and stated < cfg.statement_share * (of_own + stated) * (1 - 1e-6):
        assert passes == pytest.approx(MOST_PASSES)  # it is less than was asked for that reason alone


def test_the_mixture_says_why(tmp_path: Path) -> None:
    cfg = AdaptMixtureConfig(text_share=0.2, chat_share=0.0, statement_share=0.2)
    facts, plain = mixed(tmp_path, cfg, web=3000, code=1000, replayed_text=0, statements=500)
    assert facts == {"share_web": 0.6, "share_code": 0.2, "share_statements": 0.2, "replay_share": 0}
    assert plain["reasons"] == [
        "web has 3,000 tokens: 60.0%",
        "code has 1,000 tokens: 20.0%",
        "statements have 500 tokens: 20.0%, 4.0 passes",
        "replayed text: none: nothing is there to replay",
        "replayed chat: none, as the recipe says",
    ]


# -- conversations as tokens ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    init: Checkpoint
    tokenizer: Tokenizer
    data: ChatData
    tok: Tok


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    made: Any = saying(root)
    save_model(root / "model", tiny(positions=512))
    return World(made["init"], made["tokenizer"], made["data"], load_tokenizer(root / "tokenizer"))


def chats_in(folder: Path, rows: list[dict[str, Any]]) -> ChatData:
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "conversations.jsonl", rows)
    return ChatData(folder, "k", "d", {"conversations": len(rows)})


def test_conversations_that_are_too_long_are_counted(world: World, tmp_path: Path) -> None:
    rows = [talk(word, n) for n, word in enumerate(WORDS)]
    lengths = [len(world.tok.encode_chat(row["messages"])[0]) for row in rows]
    long = talk("cat", 99)
    long["messages"][0]["content"] = "cat dog sun " * 40
    data, job = chats_in(tmp_path / "data", [*rows[:3], long, *rows[3:]]), job_in(tmp_path)
    facts = tokenize_chats(
        TokenizeChatsConfig(most_tokens=max(lengths)), job, data=data, tokenizer=world.tokenizer
    )
    assert facts["too_long"] == 1 and facts["documents"] == len(WORDS)
    assert facts["tokens"] == sum(lengths) + len(WORDS)
    documents = Documents(job.out)
    assert documents.read(0, 0, documents.length(0)).tolist() == [
        *world.tok.encode_chat(rows[0]["messages"])[0],
        world.tok.eot_id,
    ]
    short = job_in(tmp_path / "short")
    cfg = TokenizeChatsConfig(most_tokens=min(lengths) - 1)
    facts = tokenize_chats(cfg, short, data=data, tokenizer=world.tokenizer)
    assert facts["too_long"] == len(WORDS) + 1 and facts["documents"] == facts["tokens"] == 0


def test_no_conversations_are_no_tokens(
    world: World, base: tuple[Checkpoint, Tokenizer], tmp_path: Path
) -> None:
    """Also for a tokenizer that could not write any."""
    data = chats_in(tmp_path / "data", [])
    for n, tokenizer in enumerate((world.tokenizer, base[1])):
        facts = tokenize_chats(
            TokenizeChatsConfig(), job_in(tmp_path / str(n)), data=data, tokenizer=tokenizer
        )
        assert facts["tokens"] == facts["documents"] == facts["too_long"] == 0


# -- the sizing ----------------------------------------------------------------------------------------------


HALF_REPLAYED = AdaptMixtureConfig(text_share=0.25, chat_share=0.25)


def sized(
    world: World, folder: Path, chat_tokens: int, **more: Any
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    job = job_in(folder)
    shards = {
        name: TokenShards(folder, "k", "d", {"tokens": tokens})
        for name, tokens in {
            "web": 3000,
            "code": 2000,
            "replayed_text": 10**9,
            "replayed_chat": 10**9,
        }.items()
    }
    facts = size_adaptation(
        AdaptBudgetConfig(minutes=600, length=2048, compute="float32", mixing=HALF_REPLAYED, **more), job, model=world.init,
        shards=shards, chats=TokenShards(folder, "k", "d", {"tokens": chat_tokens}),
    )  # fmt: skip
    return facts, json.loads((job.out / "sizing.json").read_text())


def test_the_sizing_is_what_both_trainings_read(world: World, tmp_path: Path) -> None:
    """Of ten hours these few tokens need none, so that the numbers do not depend on the machine."""
    facts, plain = sized(world, tmp_path, 5000, memory_gib=64.0, method="full")
    assert plain["length"] == 512  # no more than the model reads
    assert plain["batch_tokens"] % 512 == 0
    assert facts["tokens"] == plain["phase_tokens"]["documents"]
    assert 4 * 5000 / 0.5 <= facts["tokens"] < 4 * 5000 / 0.5 + plain["batch_tokens"]
    assert 2 * 5000 <= facts["tune_tokens"] == plain["tune"]["tokens"] < 2 * 5000 + plain["batch_tokens"]
    assert (
        facts["method"] == plain["method"] == "full"
        and plain["lora"] is None
        and plain["tune"]["lora"] is None
    )
    for name in ("lr", "embedding_lr", "norm_lr"):
        assert plain["tune"]["optim"][name] == 0.5 * plain["optim"][name] > 0
    assert len(plain["reasons"]) >= 4


def test_a_sizing_with_too_little_memory_trains_adapters(world: World, tmp_path: Path) -> None:
    lora = LoraConfig(rank=1)
    full = training_bytes(tiny(512).config, None, 4)
    facts, plain = sized(world, tmp_path, 5000, memory_gib=(full - 1) / 2**30, lora=lora)
    assert facts["method"] == "lora" and plain["lora"]["rank"] == plain["tune"]["lora"]["rank"] == 1
    assert facts["memory_bytes"] == training_bytes(tiny(512).config, lora, 4) < full
    assert plain["optim"]["lr"] == AdaptBudgetConfig(minutes=1).lora_optim.lr
    with pytest.raises(ConfigError, match="there is room for"):
        sized(world, tmp_path, 5000, memory_gib=0.25)


def test_a_sizing_without_conversations_has_no_tuning(world: World, tmp_path: Path) -> None:
    facts, plain = sized(world, tmp_path, 0, memory_gib=64.0)
    assert facts["tune_tokens"] == plain["tune"]["tokens"] == 0


# -- what is kept --------------------------------------------------------------------------------------------


def states_in(root: Path, **states: Measured) -> tuple[dict[str, Checkpoint], dict[str, Scores]]:
    """Models that can be told apart by their bytes, with their scores."""
    models = {}
    for name in states:
        folder = root / "models" / name
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_text(name)
        (folder / "config.json").write_text(json.dumps({"name": name}))
        (folder / "losses.jsonl").write_text("{}\n")
        facts = {"parameters": 7, "tokens": 99, "loss": 1.5, "name": name, "licence": "apache-2.0"}
        models[name] = Checkpoint(folder, "k", "d", facts)
    return models, {name: write_scores(root / "scores" / name, one) for name, one in states.items()}


def test_the_best_state_is_written_with_its_adapters(world: World, tmp_path: Path) -> None:
    models, scores = states_in(
        tmp_path, **{ORIGINAL: measured(), "1-a": measured(own=7), "2-b": measured(own=9, general=30)}
    )
    for name in ("1-a", "2-b"):
        (models[name].path / "adapter").mkdir()
        (models[name].path / "adapter" / "adapter_model.safetensors").write_text(f"adapters of {name}")
    job = job_in(tmp_path)
    facts = keep_best(KeepBestConfig(), job, models=models, scores=scores, tokenizer=world.tokenizer)
    assert facts == {
        "parameters": 7,
        "name": "1-a",
        "licence": "apache-2.0",
        "kept": "1-a",
        "gain_points": 20.0,
    }
    files = sorted(str(file.relative_to(job.out)) for file in job.out.rglob("*") if file.is_file())
    assert files == ["adapter/adapter_model.safetensors", "choice.json", "config.json", "model.safetensors"]
    assert (job.out / "model.safetensors").read_text() == "1-a"
    assert json.loads((job.out / "config.json").read_text()) == {"name": "1-a"}
    assert (job.out / "adapter" / "adapter_model.safetensors").read_text() == "adapters of 1-a"
    choice = json.loads((job.out / "choice.json").read_text())
    assert choice["kept"] == "1-a" and [case["state"] for case in choice["cases"]] == [ORIGINAL, "1-a", "2-b"]
    assert choice["cases"][2]["out"]


def test_the_original_is_written_where_nothing_is_better(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, scores = states_in(tmp_path, **{ORIGINAL: measured(), "1-a": measured(own=4)})
    (models["1-a"].path / "adapter").mkdir()
    job = job_in(tmp_path)
    facts = keep_best(KeepBestConfig(), job, models=models, scores=scores, tokenizer=world.tokenizer)
    assert facts["kept"] == ORIGINAL and facts["gain_points"] == 0
    assert (job.out / "model.safetensors").read_text() == ORIGINAL and not (job.out / "adapter").exists()
    assert "so the original is kept" in capsys.readouterr().err


def test_models_and_scores_must_belong_together(world: World, tmp_path: Path) -> None:
    models, scores = states_in(tmp_path, **{ORIGINAL: measured(), "1-a": measured()})
    without = {name: one for name, one in models.items() if name != ORIGINAL}
    for wrong_models, wrong_scores in (
        (models, {ORIGINAL: scores[ORIGINAL]}),
        (without, {"1-a": scores["1-a"]}),
    ):
        with pytest.raises(ConfigError, match="same names"):
            keep_best(
                KeepBestConfig(), job_in(tmp_path), models=wrong_models, scores=wrong_scores,
                tokenizer=world.tokenizer,
            )  # fmt: skip


# -- side by side --------------------------------------------------------------------------------------------


def other_model(world: World, folder: Path) -> Checkpoint:
    """The same shape with other weights, large enough for other answers."""
    model = tiny(512)
    draw = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=draw))
    save_model(folder, model)
    return Checkpoint(folder, "k", "d")


def test_both_models_are_asked_the_same(world: World, tmp_path: Path) -> None:
    long, longer = talk("cat", 98), talk("cat", 99)
    long["messages"][0]["content"] = "x" * 400
    longer["messages"] *= 2
    data = chats_in(tmp_path / "data", [long, longer, *(talk(word, n) for n, word in enumerate(WORDS))])
    job, cfg = job_in(tmp_path), SideBySideConfig(own=3, answer_tokens=6, compute="float32")
    facts = side_by_side(
        cfg,
        job,
        before=world.init,
        after=other_model(world, tmp_path / "other"),
        tokenizer=world.tokenizer,
        data=data,
    )
    rows = read(job.out / "conversations.jsonl")
    assert facts["conversations"] == len(rows) == 3 + len(GENERAL_QUESTIONS)
    assert [row["question"] for row in rows[3:]] == list(GENERAL_QUESTIONS)
    assert all(row["question"] == f"Say {row['wanted']}" for row in rows[:3])
    assert all(row["wanted"] == "" for row in rows[3:])
    assert facts["changed"] == sum(row["before"] != row["after"] for row in rows) > 0


def test_a_model_beside_itself_says_the_same(world: World, tmp_path: Path) -> None:
    job, cfg = job_in(tmp_path), SideBySideConfig(answer_tokens=6, compute="float32")
    facts = side_by_side(
        cfg, job, before=world.init, after=world.init, tokenizer=world.tokenizer, data=world.data
    )
    assert facts == {"conversations": 6 + len(GENERAL_QUESTIONS), "changed": 0}
    again = job_in(tmp_path / "again")
    facts = side_by_side(cfg, again, before=world.init, after=world.init, tokenizer=world.tokenizer)
    assert facts == {"conversations": len(GENERAL_QUESTIONS), "changed": 0}


def test_a_model_without_a_chat_template_is_not_asked(
    base: tuple[Checkpoint, Tokenizer], world: World, tmp_path: Path
) -> None:
    job, cfg = job_in(tmp_path), SideBySideConfig(answer_tokens=6, compute="float32")
    facts = side_by_side(cfg, job, before=base[0], after=base[0], tokenizer=base[1], data=world.data)
    assert facts == {"conversations": 0, "changed": 0} and read(job.out / "conversations.jsonl") == []
