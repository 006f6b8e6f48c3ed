"""Grading by kind, scores by skill, bits per byte, and the stage from files to files."""

import json
import math

import pytest

from smolforge.artifacts import Checkpoint, EvalTexts, Tokenizer
from smolforge.errors import ConfigError, InputError
from smolforge.evals import score
from smolforge.evals.answer_bits import answer_bits, with_answer_bits
from smolforge.evals.grade import (
    Grade,
    code_program,
    cut_answer,
    final_number,
    grade_answers,
    grade_calls,
    grade_exact,
    has_ended,
    rouge_l,
)
from smolforge.evals.sandbox import run_programs
from smolforge.evals.stages import EvaluateConfig, LoadBenchmarksConfig, evaluate, load_benchmarks
from smolforge.evals.task import Item, item_from_plain, item_to_plain
from smolforge.evals.tasks import ifeval, load_benchmark
from smolforge.evals.tasks.hellaswag import clean
from smolforge.language_model import Logprob
from smolforge.log import Log
from smolforge.stage import Job
from smolforge.text.tokenizer import load_tokenizer

ASK = [{"role": "user", "content": "Well?"}]


def item(kind, **fields):
    return Item(**{"id": "1", "skill": "s", "kind": kind, "messages": ASK, "prompt": "Well?", **fields})


@pytest.mark.parametrize(
    ("wanted", "answer", "right"),
    [
        (19, "12 + 7 = 19.", True),
        ("19", "The answer is 19 apples of 20.", True),
        (1234.5, "so $1,234.50", True),
        ("-3", "5 - 8 = -3", True),
        ("2", "5-3", False),
        ("3/4", "It is \\boxed{3/4}", True),
        ("0.75", "3/4", True),
        ("18", "no number here", False),
        ("#### 18", "It is 18.", False),
        ("#### 1,800", "so\n#### 1800", True),
        ("Paris", "paris.", True),
        ("Paris", "The answer is the Paris!", True),
        ("Paris", "The capital is Paris", False),
        (["Antelope", "Antelopes"], "An antelopes", True),
        (["a"], "", False),
        (["a"], "A", True),
        ([], "x", False),
        ("1", "1/0", False),
        ("1", "9" * 5000, False),
    ],
)
def test_exact_answers(wanted, answer, right):
    assert grade_exact(wanted, answer).right is right


def test_the_number_after_the_last_mark_wins_over_later_numbers():
    assert final_number("The answer is 4. No: the answer is 5, I checked 7 times.") == 5


@pytest.mark.parametrize(
    ("wanted", "answer", "right", "credit"),
    [
        ({"name": "f", "arguments": {"a": 1}}, '<tool_call>{"name": "f", "arguments": {"a": 1.0}}</tool_call>', True, 1),
        ('{"name": "f", "arguments": {}}', '<tool_call>{"name": "f", "arguments": {}}</tool_call>', True, 1),
        ({"name": "f", "arguments": {"a": "X "}}, '<tool_call>{"name": "f", "arguments": {"a": "x"}}</tool_call>', True, 1),
        ({"name": "f", "arguments": {"a": 1, "b": 2}}, '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>', False, 0.65),
        ({"name": "f", "arguments": {"a": 1}}, '<tool_call>{"name": "f", "arguments": {"a": true}}</tool_call>', False, 0.3),
        ({"name": "f", "arguments": {}}, '<tool_call>{"name": "g", "arguments": {}}</tool_call>', False, 0),
        ({"name": "f", "arguments": {}}, "f()", False, 0),
        ({"name": "f", "arguments": {}}, '<tool_call>{"name": "f", "arguments": {}}</tool_call>' * 2, False, 0.5),
        ([], "No tool is needed.", True, 1),
        ([], '<tool_call>{"name": "f", "arguments": {}}</tool_call>', False, 0),
    ],
)  # fmt: skip
def test_tool_calls(wanted, answer, right, credit):
    grade = grade_calls(wanted, answer)
    assert (grade.right, grade.credit) == (right, pytest.approx(credit))


def test_overlap_is_lins_formula():
    # The paper's own example: reference "police killed the gunman"; two candidates at 3/4 and 2/4.
    assert rouge_l("police kill the gunman", "police killed the gunman") == pytest.approx(0.75)
    assert rouge_l("the gunman kill police", "police killed the gunman") == pytest.approx(0.5)
    assert rouge_l("", "x") == rouge_l("x", "") == 0.0


def test_overlap_matches_the_published_scorer():
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    for a, b in (("The cat sat on the mat.", "A cat was on a mat today"), ("x y z", "z y x")):
        assert rouge_l(a, b) == pytest.approx(scorer.score(b, a)["rougeL"].fmeasure)


def test_a_base_models_answer_ends_before_the_next_question():
    asked = item("exact", answer="4")
    assert cut_answer(asked, " 4\n\nQuestion: 2+3\nAnswer: 5", "text") == "4"
    assert cut_answer(item("checks", checks=[{"name": "no_commas"}]), " a\n\nb\nUser: c", "text") == "a\n\nb"
    assert cut_answer(item("exact", answer="4", stops=["#"]), " 4\n\n5#6", "text") == "4\n\n5"
    assert cut_answer(asked, " 4\n\nQuestion: 5 ", "chat") == "4\n\nQuestion: 5"
    taught = item("exact", answer="4", stops=["#"], chat_stops=["\nQuestion:"])
    assert cut_answer(taught, " 4\n#\nQuestion: 5 ", "chat") == "4\n#"
    assert has_ended(taught, "4\nQuestion:", "chat") and not has_ended(taught, "4\nQuestion", "chat")
    assert has_ended(taught, "4#", "text") and not has_ended(taught, "4#", "chat")


@pytest.mark.parametrize(
    ("form", "prompt", "answer"),
    [
        ("text", 'def add(a, b):\n    """Sum."""\n', "    return a + b\n\nprint(add(1))\ndef x(:"),
        ("text", "Write add.\n", "def add(a, b):\n    return a + b\n\nUser: more"),
        ("text", "Write add.\n", "ONE = 1\ndef add(a, b):\n    return a + b * ONE"),
        ("chat", "", "Here it is:\n```python\ndef add(a, b):\n    return a + b\n```\nIt adds."),
        ("chat", "", "Sure.\ndef add(a, b):\n    return a + b"),
        ("chat", "", "```\nimport operator\nadd = operator.add"),
    ],
)
def test_code_is_found_and_run(form, prompt, answer):
    asked = item("code", prompt=prompt, answer="assert add(2, 3) == 5")
    outcome = run_programs([code_program(asked, answer, form)]).outcomes[0]
    assert outcome.ok, outcome.error


def test_grades_keep_their_order_and_wrong_code_fails():
    items = [
        item("code", answer="assert f() == 1"),
        item("checks", checks=[{"name": "no_commas"}, {"name": "max_words", "args": {"count": 2}}]),
        item("code", answer="assert f() == 1"),
    ]
    answers = ["def f():\n    return 1", "one two three", "import sys\nsys.exit(0)"]
    grades = grade_answers(items, answers, "chat")
    assert [grade.right for grade in grades] == [True, False, False]
    assert grades[1].credit == 0.5


class Bigram:
    """A language model over bytes whose probabilities are known by heart: 'a' follows 'a' with 1/2."""

    start_id, end_ids = 0, (2, 0, 1)

    def encode(self, text, allow_special=False):
        return [byte + 3 for byte in text.encode()]

    def decode(self, ids, skip_special=False):
        return bytes(i - 3 for i in ids if i > 2).decode("utf-8", "replace")

    def encode_chat(self, messages, tools=None, add_generation_prompt=False):
        ids = [token for m in messages for token in [1, *self.encode(m["role"] + "\n" + m["content"]), 2]]
        return ([*ids, 1, *self.encode("assistant\n")] if add_generation_prompt else ids), []

    def logprobs(self, prompts, continuations):
        a = ord("a") + 3
        found = []
        for prompt, continuation in zip(prompts, continuations, strict=True):
            pairs = zip([prompt[-1], *continuation], continuation, strict=False)
            total = sum(math.log(0.5 if (x, y) == (a, a) else 1 / 256) for x, y in pairs)
            found.append(Logprob(total, len(continuation), False))
        return found

    def generate(self, prompts, how, stop=(), ended=None, told=None):
        if told is not None:
            told(len(prompts))
        return [self.encode("4, of course\n\nUser: 5")[: how.max_new_tokens] for _ in prompts]


def test_choices_are_compared_by_character():
    model = Bigram()
    asked = item("choice", prompt="Say a:", choices=["b", "aaaa"], answer=1, chance=0.5)
    [judged] = score.judge_choices(model, model, [asked], "text")
    assert judged.grade.right and judged.answer == "aaaa"
    # " aaaa" is 2 rare and 3 common letters: (2 ln 256 + 3 ln 2) / 4 = 3.29 a character; " b" 2 ln 256 / 1.
    rates = [-2 * math.log(256), -(2 * math.log(256) + 3 * math.log(2)) / 4]
    assert judged.grade.credit == pytest.approx(1 / (1 + math.exp(rates[0] - rates[1])))


def test_a_choice_begins_with_a_space_only_after_a_word():
    model, seen = Bigram(), []
    model.logprobs = lambda p, c: seen.extend(c) or [Logprob(0.0, 1, False)] * len(c)
    for prompt, form in (("Say:", "text"), ("Say:\n", "text"), ("", "chat")):
        score.judge_choices(model, model, [item("choice", prompt=prompt, choices=["a"], answer=0)], form)
    opened = item(
        "choice", messages=[*ASK, {"role": "assistant", "content": "It is"}], choices=["a"], answer=0
    )
    score.judge_choices(model, model, [opened], "chat")
    assert [model.decode(ids) for ids in seen] == [" a", "a", "a", " a"]


def test_scores_by_skill_with_interval_and_chance():
    items = [
        item("exact", id="1", skill="sums", answer="4"),
        item("exact", id="2", skill="sums", answer="5"),
        item("choice", id="3", skill="facts", prompt="x", choices=["a", "b"], answer=0, chance=0.5),
    ]
    scores, judged = score.evaluate(Bigram(), Bigram(), items, form="text")
    assert [one.item.id for one in judged] == ["1", "2", "3"]
    facts, sums = scores
    assert (sums.skill, sums.value, sums.items, sums.chance) == ("sums", 0.5, 2, 0.0)
    assert sums.low < 0.5 < sums.high
    assert (facts.skill, facts.chance) == ("facts", 0.5)
    assert judged[0].answer == "4, of course"
    json.dumps([one.plain() for one in judged])


@pytest.mark.parametrize("window", [1, 3, 7, 512])
def test_bits_per_byte_score_every_byte_once(window):
    model = Bigram()
    texts = [
        score.HeldOutText("1", "web", "baa"),
        score.HeldOutText("2", "web", "éa" * 4),
        score.HeldOutText("3", "code", "aaaa"),
    ]
    code, web = score.bits_per_byte(model, model, texts, window)
    assert code.value == pytest.approx((8 + 3 * 1) / 4)
    assert web.value == pytest.approx((8 + 8 + 1 + 8 * 12) / (3 + 12))
    assert (web.skill, web.unit, web.items) == ("bits_web", "bits_per_byte", 2)


def test_the_same_items_are_chosen_whatever_their_order():
    items = [item("exact", id=str(i), answer="4") for i in range(50)]
    chosen = score.choose_items(items, 10, seed=1)
    assert chosen == score.choose_items(items[::-1], 10, seed=1)
    assert chosen != score.choose_items(items, 10, seed=2)
    assert len(chosen) == 10
    assert len(score.choose_items(items, 99, seed=1)) == 50


def test_texts_are_cut_at_a_character():
    texts = [
        score.HeldOutText("1", "d", "abc"),
        score.HeldOutText("2", "d", "éé"),
        score.HeldOutText("3", "d", "z"),
    ]
    assert [held.text for held in score.cut_texts(texts, 6)] == ["abc", "é"]


def test_items_survive_json_and_refuse_nonsense():
    first = item("choice", choices=("a", "b"), answer=1)
    again = item_from_plain(json.loads(json.dumps(item_to_plain(first))), "x")
    assert (again.choices, again.answer) == (["a", "b"], 1)
    for wrong in ({"kind": "guess"}, {"choices": ["a"]}, {"answer": "b"}, {"colour": 1}, {"messages": "hi"}):
        with pytest.raises(InputError):
            item_from_plain({**item_to_plain(first), **wrong}, "x")


def test_ifeval_relations():
    fewer = ifeval.to_check("length_constraints:number_words", {"num_words": 10, "relation": "less than"})
    more = ifeval.to_check("length_constraints:number_words", {"num_words": 10, "relation": "at least"})
    assert (fewer["name"], fewer["args"]["count"]) == ("max_words", 9)
    assert (more["name"], more["args"]["count"]) == ("min_words", 10)


def test_hellaswag_artefacts_go():
    assert clean("How to [header] x [title] Do it [step] now ") == "How to x. Do it now"


# -- the stages ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    import torch

    from smolforge.model.config import ModelConfig
    from smolforge.model.transformer import Llama
    from smolforge.model.weights import save_model
    from smolforge.text import tokenizer

    root = tmp_path_factory.mktemp("tiny")
    for name in ("model", "tokenizer", "texts"):
        (root / name).mkdir()
    trained = tokenizer.train(["the cat sat on the mat, the dog ran " * 50], 300)
    tokenizer.save(trained, root / "tokenizer")
    torch.manual_seed(0)
    shape = ModelConfig(
        vocab_size=300, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=64,
    )  # fmt: skip
    network = Llama(shape)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    save_model(root / "model", network)
    lines = [
        item("choice", id=f"c{i}", skill="facts", choices=["cat", "dog"], answer=i % 2, chance=0.5)
        for i in range(8)
    ] + [item("exact", id=f"e{i}", skill="facts", answer=i, max_new_tokens=8) for i in range(4)]
    write(root / "texts" / "items-facts.jsonl", [item_to_plain(one) for one in lines])
    write(
        root / "texts" / "items-code.jsonl",
        [item_to_plain(item("code", skill="code", answer="assert 1", max_new_tokens=4))],
    )
    write(root / "texts" / "texts-web.jsonl", [{"id": str(i), "text": "the cat sat " * 30} for i in range(3)])
    return {
        "model": Checkpoint(root / "model", "k", "d"),
        "tokenizer": Tokenizer(root / "tokenizer", "k", "d"),
        "texts": EvalTexts(root / "texts", "k", "d"),
    }


def write(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def job_in(folder):
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True)
    return Job(out=folder / "out", work=folder / "work", log=Log(), threads=1)


@pytest.mark.parametrize("form", ["text", "chat"])
def test_the_stage_scores_a_model_and_repeats_itself(tiny, tmp_path, form, compute):
    cfg = EvaluateConfig(form=form, items_per_skill=10, text_bytes_per_domain=500, compute=compute)
    jobs = [job_in(tmp_path / name) for name in ("a", "b")]
    facts = [dict(evaluate(cfg, job, **tiny)) for job in jobs]
    assert facts[0] == facts[1]
    assert set(facts[0]) == {f"{s}{e}" for s in ("facts", "code", "bits_web") for e in ("", "_low", "_high")}
    # An untrained model is all but uniform over its vocabulary.
    tokens = len(load_tokenizer(tiny["tokenizer"].path).encode("the cat sat " * 30)) / 360
    assert facts[0]["bits_web"] == pytest.approx(tokens * math.log2(300), rel=0.03)
    for name in ("scores.json", "samples.jsonl"):
        assert (jobs[0].out / name).read_bytes() == (jobs[1].out / name).read_bytes()
    scores = json.loads((jobs[0].out / "scores.json").read_text())
    assert [one["skill"] for one in scores] == ["code", "facts", "bits_web"]
    assert len((jobs[0].out / "samples.jsonl").read_text().splitlines()) == 11


def test_the_stage_names_what_is_missing(tiny, tmp_path):
    with pytest.raises(InputError, match="history"):
        evaluate(EvaluateConfig(skills=("history",), compute="float32"), job_in(tmp_path), **tiny)
    (tmp_path / "items-x.jsonl").write_text('{"id": "1"\n')
    with pytest.raises(InputError, match="line 1"):
        cfg, texts = EvaluateConfig(compute="float32"), EvalTexts(tmp_path, "k", "d")
        evaluate(cfg, job_in(tmp_path / "b"), **{**tiny, "texts": texts})


def test_unknown_and_missing_benchmarks(tmp_path):
    with pytest.raises(ConfigError, match="arc_easy"):
        load_benchmarks(
            LoadBenchmarksConfig(folder=str(tmp_path), names=("arc_eazy",)), job_in(tmp_path / "a")
        )
    with pytest.raises(InputError, match="validation"):
        load_benchmarks(LoadBenchmarksConfig(folder=str(tmp_path), names=("piqa",)), job_in(tmp_path / "b"))
    with pytest.raises(InputError, match="does not exist"):
        load_benchmarks(LoadBenchmarksConfig(folder=str(tmp_path / "no")), job_in(tmp_path / "c"))


def test_mmlu_names_its_subject(tmp_path):
    """The prompts of the published evaluation: cloze for MMLU, letters for MMLU-Pro; rows without a subject do without."""
    for name, rows in (
        ("mmlu", [{"subject": "high_school_physics", "question": "What falls?", "choices": ["A stone", "Nothing"], "answer": 0},
                  {"question": "What floats?", "choices": ["A stone", "Wood"], "answer": 1}]),
        ("mmlu_pro", [{"category": "business", "question": "Who pays?", "options": ["You", "I"], "answer_index": 1}]),
    ):  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    known, unknown = load_benchmark("mmlu", tmp_path)
    assert known.prompt == (
        "The following are questions about high school physics.\nQuestion: What falls?\nAnswer:"
    )
    assert unknown.prompt == "Question: What floats?\nAnswer:"
    [pro] = load_benchmark("mmlu_pro", tmp_path)
    assert pro.prompt == (
        "The following are multiple choice questions (with answers) about business.\n\n"
        "Who pays?\nA. You\nB. I\nAnswer:"
    )
    assert pro.choices == ["A", "B"] and pro.answer == 1


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        (r"\boxed{70{,}000}", 70_000), (r"\boxed{70\,000}", 70_000), (r"\boxed{-\$5}", -5), (r"\boxed{1{,}234{,}567}", 1_234_567),
        (r"so it is \$1\!000", 1000), ("#### 70,000", 70_000), (r"\boxed{7}, not {,} 8", 7),
    ],
)  # fmt: skip
def test_numbers_as_tex_writes_them(answer, number):
    assert final_number(answer) == number


def test_the_first_python_block_is_run():
    shell, program = "```bash\npip install x\n```\n", "```python\nprint(1)\n```\n"
    for answer in (shell + program, program + shell, shell + program.replace("python", "")):
        assert "print(1)" in code_program(item("code", answer="pass"), answer, "chat")
        assert "pip" not in code_program(item("code", answer="pass"), answer, "chat")


def test_held_out_chats_are_read_with_their_control_tokens(monkeypatch):
    """As they are trained on; in all other texts such strings are letters."""
    model, asked = Bigram(), []
    encode = model.encode
    monkeypatch.setattr(
        Bigram, "encode", lambda self, text, allow_special=False: asked.append(allow_special) or encode(text)
    )
    texts = [score.HeldOutText("1", domain, "<|im_start|>a") for domain in ("chat", "web", "own_chat")]
    score.text_bits(model, model, texts)
    assert asked == [True, False, False]


def test_greedy_items_and_contexts_of_their_own():
    model, seen = Bigram(), []

    def logprobs(prompts, continuations):
        seen.extend(map(model.decode, prompts))
        totals = [-1.0 if model.decode(prompt) in ("good", "a:") else -3.0 for prompt in prompts]
        return [Logprob(total, 1, total > -2) for total in totals]

    model.logprobs = logprobs
    right, wrong = (item("greedy", prompt=prompt, choices=["x"], answer="x") for prompt in ("a:", "b:"))
    partial = item("choice", contexts=["bad", "good"], choices=["x", "x"], answer=1)
    judged = score.judge_choices(model, model, [right, wrong, partial], "text")
    assert [one.grade.right for one in judged] == [True, False, True]
    assert seen == ["a:", "b:", "bad", "good"]
    assert judged[1].plain()["wanted"] == "x" and judged[1].answer == ""
    for fault in ({"contexts": ["a"]}, {"norm": "word"}, {"metric": "mean"}):
        with pytest.raises(InputError):
            item_from_plain({**item_to_plain(partial), **fault}, "here")
    with pytest.raises(InputError, match="only choice"):
        item_from_plain({**item_to_plain(right), "choices": ["a", "b"]}, "here")


@pytest.mark.parametrize(("norm", "best"), [("character", "aaaa"), ("token", "bbbb"), ("sum", "c")])
def test_choices_are_compared_as_the_item_says(norm, best):
    model, totals = Bigram(), {" aaaa": (-4.0, 1), " bbbb": (-4.4, 4), " c": (-2.0, 1)}
    model.logprobs = lambda p, c: [Logprob(*totals[model.decode(ids)], False) for ids in c]
    asked = item("choice", choices=["aaaa", "bbbb", "c"], answer=0, norm=norm)
    assert score.judge_choices(model, model, [asked], "text")[0].answer == best


def test_a_prompt_begins_with_the_start_token_unless_the_config_says_none(tiny, tmp_path, monkeypatch):
    from smolforge.model.generate import TorchLanguageModel
    from smolforge.text.tokenizer import load_tokenizer

    start, seen = load_tokenizer(tiny["tokenizer"].path).start_id, []
    inner = TorchLanguageModel.logprobs
    monkeypatch.setattr(
        TorchLanguageModel,
        "logprobs",
        lambda self, p, c: seen.append([tuple(one) for one in p]) or inner(self, p, c),
    )
    for prefix in ("start", "none"):
        cfg = EvaluateConfig(prefix=prefix, compute="float32", skills=("facts",), text_bytes_per_domain=0)
        evaluate(cfg, job_in(tmp_path / prefix), **tiny)
    half = len(seen) // 2
    assert half == 2, "choices, and the bits of written answers"
    for with_start, without in zip(seen[:half], seen[half:], strict=True):
        assert with_start == [(start, *one) for one in without]


def test_all_three_norms_are_kept_and_the_bits_of_the_right_choice():
    model, totals = Bigram(), {" aaaa": (-4.0, 1), " bbbb": (-4.4, 4), " c": (-2.0, 1)}
    model.logprobs = lambda p, c: [Logprob(*totals[model.decode(ids)], False) for ids in c]
    asked = [item("choice", id=str(n), choices=["aaaa", "bbbb", "c"], answer=n % 2) for n in range(4)]
    judged = score.judge_choices(model, model, asked, "text")
    assert judged[0].right_by == {"character": True, "token": False, "sum": False}
    assert judged[1].plain()["right_by"] == {"character": False, "token": True, "sum": False}
    [found] = score.score_skills(judged)
    shares = {norm: found.detail[f"share_by_{norm}"] for norm in ("character", "token", "sum")}
    assert shares == {"character": 0.5, "token": 0.5, "sum": 0.0} and found.value == 0.5
    assert found.detail["answer_bits"] == pytest.approx((4.0 + 4.4) / 2 / 4 / math.log(2), abs=1e-5)
    assert found.detail["answer_bits_low"] < found.detail["answer_bits"] < found.detail["answer_bits_high"]


def test_answers_that_are_written_have_bits_too_and_tests_alone_have_none():
    model = Bigram()
    items = [
        item("exact", id="n", answer="aa"),
        item("checks", id="c", checks=[{"name": "max_words", "args": {"count": 9}}]),
    ]
    _, judged = score.evaluate(model, model, items, form="text")
    assert [one.bits for one in judged] == [None, None]
    counted = with_answer_bits(model, model, judged, "text")
    [alone] = answer_bits(model, model, items[:1], "text")
    assert (counted[0].bits, counted[0].bytes) == (alone.bits, alone.bytes) and counted[1] is judged[1]
    assert score.score_skills(counted)[0].detail["answer_items"] == 1


def test_a_skill_measured_by_credit_is_its_mean():
    items = [item("overlap", answer="a b", metric="credit", id=str(n)) for n in range(3)]
    judged = [score.Judged(one, "", Grade(False, credit)) for one, credit in zip(items, (0.2, 0.4, 0.6), strict=True)]  # fmt: skip
    [found] = score.score_skills(judged)
    assert found.value == pytest.approx(0.4) and found.detail["share_right"] == 0
    assert 0 <= found.low < 0.4 < found.high <= 1


def test_the_stage_of_judged_answers_goes_on_after_the_judge_failed(tiny, tmp_path, monkeypatch):
    """Answers are kept, and so are replies: the second run writes no answer and asks only for what is missing."""
    from smolforge.errors import StageError
    from smolforge.evals import judge, turns
    from smolforge.evals.judge_stages import judge_answers, judged_by

    benchmarks = tmp_path / "benchmarks" / "mt_bench"
    benchmarks.mkdir(parents=True)
    write(benchmarks / "question.jsonl", [{"question_id": n, "category": "writing", "turns": ["cat", "dog"]} for n in range(3)])  # fmt: skip
    write(benchmarks / "reference_answer_gpt-4.jsonl", [])
    prompts = [{"name": name, "system_prompt": "", "prompt_template": f"{name} {{answer}} {{question}}"} for name in ("single-v1", "single-v1-multi-turn")]  # fmt: skip
    write(benchmarks / "judge_prompts.jsonl", prompts)
    replies = iter(["[[4]]", "[[6]]"])

    def send(messages):
        try:
            return next(replies)
        except StopIteration:
            raise StageError("the judge does not answer") from None

    monkeypatch.setenv("SMOL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(judge, "AT_ONCE", 1)
    monkeypatch.setattr(judge, "endpoint", lambda model, url: send)
    cfg = judged_by(tmp_path / "benchmarks", "m", answer_tokens=4, base_url="http://localhost/v1")
    job, parts = job_in(tmp_path / "job"), {name: tiny[name] for name in ("model", "tokenizer")}
    with pytest.raises(StageError, match="does not answer"):
        judge_answers(cfg, job, **parts)
    monkeypatch.setattr(turns, "answer_turns", None)
    monkeypatch.setattr(judge, "endpoint", lambda model, url: lambda messages: "no verdict")
    facts = dict(judge_answers(cfg, job, **parts))
    samples = [json.loads(line) for line in (job.out / "samples.jsonl").read_text().splitlines()]
    assert len(samples) == 6 and all(len(one["answer"]) == 2 for one in samples)
    assert facts["broken"] == sum(one["verdict"] is None for one in samples) > 0
    assert 4 <= facts["mt_bench"] <= 6 and facts["remembered"] >= 2
    with pytest.raises(ConfigError, match="address"):
        judged_by(tmp_path / "benchmarks", "m", base_url="http://me:secret@host/v1")
