"""Benchmarks from files in their published layout: prompts letter by letter, other layouts refused, generated texts."""

import json

import pyarrow
import pyarrow.parquet
import pytest

from smolforge.errors import ConfigError, InputError
from smolforge.evals.call_match import as_tool, calls_fault, standard
from smolforge.evals.grade import grade_text
from smolforge.evals.tasks import BENCHMARKS, held_in, load_benchmark, usual_benchmarks
from smolforge.evals.tasks.long_context import ITEMS, LENGTHS
from smolforge.evals.tasks.rows import MissingBenchmark


def write(folder, place, rows):
    file = folder / f"{place}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def only(name, folder):
    [item] = load_benchmark(name, folder)
    assert item.skill == name
    return item


def test_boolq_from_both_layouts(tmp_path):
    core, published = tmp_path / "core", tmp_path / "published"
    write(core, "core/boolq", [{"query": "Passage: P.\nIt goes on.\nQuestion: is it so?", "choices": ["no", "yes"], "gold": 1}])  # fmt: skip
    write(published, "boolq/validation", [{"passage": "P.\nIt goes on.", "question": "is it so", "label": 1}])
    first, second = only("boolq", core), only("boolq", published)
    assert first == second
    assert first.prompt == "P.\nIt goes on.\nQuestion: is it so?\nAnswer:"
    assert (first.choices[first.answer], first.norm) == ("yes", "sum")


def test_copa_from_both_layouts(tmp_path):
    core, published = tmp_path / "core", tmp_path / "published"
    write(core, "core/copa", [{"query": "The man fell, because", "choices": ["he slipped.", "he ate."], "gold": 0}])  # fmt: skip
    write(published, "copa/validation", [{"premise": "The man fell.", "choice1": "He slipped.", "choice2": "He ate.", "question": "cause", "label": 0}])  # fmt: skip
    assert only("copa", core) == only("copa", published)
    assert only("copa", core).prompt == "The man fell because"
    assert only("copa", core).choices == ["he slipped.", "he ate."]
    assert only("copa_lm_eval", core).choices == ["  he slipped.", "  he ate."]


def test_siqa_from_both_layouts(tmp_path):
    core, published = tmp_path / "core", tmp_path / "published"
    query = "Context: Al ran.\nQuestion: Why?\nChoices:\nA. to be fast\nB. to rest\nC. to eat\nAnswer:"
    write(core, "core/siqa", [{"query": query, "choices": ["A", "B", "C"], "gold": 2}])
    row = {"context": "Al ran.", "question": "Why?", "answerA": "to be fast", "answerB": "to rest", "answerC": "to eat"}  # fmt: skip
    write(published, "siqa/validation", [{**row, "label": "3"}])
    assert only("siqa", core) == only("siqa", published)
    assert only("siqa", core).prompt == "Q: Al ran. Why?\nA:"
    assert only("siqa", core).chance == pytest.approx(1 / 3)


def test_lambada_asks_for_what_follows_the_last_space(tmp_path):
    write(tmp_path, "lambada/test", [{"text": "He went to the docks with  Shane"}])
    item = only("lambada", tmp_path)
    assert (item.prompt, item.choices, item.kind) == ("He went to the docks with ", ["Shane"], "greedy")


def test_winogrande_in_both_forms(tmp_path):
    row = {"sentence": "Ann met Eve and _ smiled.", "option1": "Ann", "option2": "Eve", "answer": "2"}
    write(tmp_path, "winogrande/validation", [row])
    whole, partial = only("winogrande", tmp_path), only("winogrande_partial", tmp_path)
    assert (whole.prompt, whole.choices) == ("Ann met Eve and", ["Ann smiled.", "Eve smiled."])
    assert partial.contexts == ["Ann met Eve and Ann", "Ann met Eve and Eve"]
    assert partial.choices == ["smiled.", "smiled."] and partial.answer == 1


def test_commonsense_qa_in_both_forms(tmp_path):
    choices = {"label": list("ABCDE"), "text": ["a", "b", "c", "d", "e"]}
    write(tmp_path, "commonsense_qa/validation", [{"question": " Why? ", "choices": choices, "answerKey": "E"}])  # fmt: skip
    assert only("commonsense_qa", tmp_path).prompt == " Why? "
    letters = only("commonsense_qa_mcf", tmp_path)
    assert letters.prompt == "Question: Why?\nA. a\nB. b\nC. c\nD. d\nE. e\nAnswer:"
    assert (letters.choices, letters.answer, letters.chance) == (list("ABCDE"), 4, 0.2)


def test_mmlu_after_five_examples_of_its_subject(tmp_path):
    def row(subject, n):
        return {"subject": subject, "question": f"{subject} {n}?", "choices": ["w", "x", "y", "z"], "answer": n % 4}  # fmt: skip

    write(tmp_path, "mmlu/test", [row("anatomy", 9), row("law", 9)])
    write(tmp_path, "mmlu/dev", [row(subject, n) for subject in ("law", "anatomy") for n in range(6)])
    anatomy, _ = load_benchmark("mmlu_mcf_5shot", tmp_path)
    assert anatomy.prompt.startswith(
        "The following are multiple choice questions (with answers) about anatomy.\n\n"
        "anatomy 0?\nA. w\nB. x\nC. y\nD. z\nAnswer: A\n\nanatomy 1?"
    )
    assert anatomy.prompt.endswith("Answer: A\n\nanatomy 9?\nA. w\nB. x\nC. y\nD. z\nAnswer:")
    assert "anatomy 5?" not in anatomy.prompt and "law" not in anatomy.prompt
    assert [one.id for one in load_benchmark("mmlu_stem", tmp_path)] == ["mmlu-anatomy-0"]


def test_questions_without_context(tmp_path):
    write(tmp_path, "nq_open/NQ-open.dev", [{"question": "who", "answer": ["Ann", "Eve"]}])
    write(tmp_path, "nq_open/train", [{"question": f"q{n}", "answer": [f"a{n}", "x"]} for n in range(7)])
    assert only("nq_open", tmp_path).prompt == (
        "Answer these questions:\n\nQ: q0?\nA: a0\nQ: q1?\nA: a1\nQ: q2?\nA: a2\nQ: q3?\nA: a3\nQ: q4?\nA: a4\n"
        "Q: who?\nA:"
    )
    write(tmp_path, "triviaqa/validation", [{"question": "Who?", "answer": {"value": "Ann", "aliases": ["Eve"]}}])  # fmt: skip
    assert only("triviaqa", tmp_path).prompt == "Question: Who?\nAnswer:"
    assert only("triviaqa_lm_eval", tmp_path).prompt == "Question: Who??\nAnswer:"
    assert only("triviaqa", tmp_path).answer == ["Ann", "Eve"]


def test_drop_keeps_every_accepted_answer_once(tmp_path):
    def answer(number="", spans=(), day=""):
        return {"number": number, "spans": list(spans), "date": {"day": day, "month": "", "year": ""}}

    others = [answer("5"), answer(spans=["a", "b"]), answer(day="12")]
    columns = {name: [one[name] for one in others] for name in ("number", "spans", "date")}
    write(tmp_path, "drop/validation", [{"passage": "P.", "question": "How many?", "answer": answer("5"), "validated_answers": columns}])  # fmt: skip
    item = only("drop", tmp_path)
    assert item.prompt == "P. How many?"
    assert item.answer == [["5"], ["a", "b"], ["12"]]
    assert (item.metric, item.rule) == ("credit", "drop")


def test_squad_v2_and_its_questions_without_answer(tmp_path):
    row = {"id": "q", "title": "T", "context": "C.", "question": "Q?", "answers": {"text": [], "answer_start": []}}  # fmt: skip
    write(tmp_path, "squad_v2/validation", [row])
    item = only("squad_v2", tmp_path)
    assert item.prompt == "Title: T\n\nBackground: C.\n\nQuestion: Q?\n\nAnswer:"
    assert grade_text(item, "unanswerable").right and not grade_text(item, "C.").right
    assert "unanswerable" in item.messages[0]["content"]


def test_coqa_asks_the_last_question(tmp_path):
    row = {
        "story": "S.",
        "questions": {"input_text": ["Q1?", "Q2?"]},
        "answers": {"input_text": ["A1", "A2"]},
        "additional_answers": {"0": {"input_text": ["B1", "a2"]}, "1": {"input_text": ["C1", "C2"]}},
    }
    write(tmp_path, "coqa/validation", [row])
    item = only("coqa", tmp_path)
    assert item.prompt == "S.\n\nQ: Q1?\n\nA: A1\n\nQ: Q2?\n\nA:"
    assert item.answer == ["A2", "C2"]


def test_math_in_both_forms_with_and_without_a_demonstration_file(tmp_path):
    rows = [{"problem": f"P{n}?", "solution": f"It is $\\boxed{{{n}}}$."} for n in range(6)]
    write(tmp_path, "math/test", rows)
    assert [one.answer for one in load_benchmark("math", tmp_path)] == ["4", "5"]
    write(tmp_path, "math/demo", rows[:4])
    assert len(load_benchmark("math", tmp_path)) == 6
    boxed, final = (load_benchmark(name, tmp_path)[5] for name in ("math", "math_minerva"))
    assert boxed.prompt.endswith("P5?\nPlease reason step by step, and put your final answer within \\boxed{}.\n\n")  # fmt: skip
    assert final.prompt.startswith(
        "Problem:\nP0?\n\nSolution: It is $\\boxed{0}$.\nFinal Answer: The final answer is $0$. I hope it is correct.\n\n"
    )
    assert grade_text(boxed, "so $\\boxed{5}$").right
    assert grade_text(final, "Final Answer: The final answer is $5$. I hope it is correct.").right


def test_bbh_never_shows_the_tested_item(tmp_path):
    rows = [
        {"task": task, "input": f"{task} {n}", "target": f"t{n}"} for task in ("a", "b") for n in range(5)
    ]
    write(tmp_path, "bbh/test", rows)
    items = load_benchmark("bbh", tmp_path)
    assert len(items) == 10
    for item in items:
        *shots, asked = item.prompt.split("Question: ")[1:]
        assert len(shots) == 3 and asked not in [shot.partition(" t")[0] for shot in shots]
        assert len({shot[0] for shot in [*shots, asked]}) == 1
    prompts = [{"task": task, "prompt": f"canary\n-----\nSort {task}.\n\nQ: x\nA: y"} for task in ("a", "b")]
    write(tmp_path, "bbh/cot_prompts", prompts)
    assert load_benchmark("bbh_cot", tmp_path)[0].prompt == (
        "Sort a.\n\nQ: x\nA: y\n\nQ: a 0\nA: Let's think step by step.\n"
    )


def test_jeopardy_does_not_score_its_examples(tmp_path):
    write(tmp_path, "core/jeopardy_all", [{"context": f"C: clue {n}", "continuation": f"answer {n}"} for n in range(25)])  # fmt: skip
    items = load_benchmark("jeopardy", tmp_path)
    assert len(items) == 15
    assert all(item.prompt.count("Answer:") == 11 and f"{item.prompt.splitlines()[-2]}\nAnswer: " not in item.prompt for item in items)  # fmt: skip


def test_texts_to_be_written_are_scored_by_their_overlap(tmp_path):
    write(tmp_path, "open_rewrite/test", [{"source": "hi", "target": "good day", "comment": "Be formal."}])
    write(tmp_path, "cnn_dailymail/test", [{"article": "Long.", "highlights": "Short.", "id": "1"}])
    rewriting, summary = only("open_rewrite", tmp_path), only("cnn_dailymail", tmp_path)
    assert rewriting.messages[0]["content"] == "Be formal.\n\nhi"
    assert grade_text(rewriting, "good").credit == pytest.approx(2 / 3)
    assert (rewriting.metric, summary.metric) == ("credit", "credit")


# -- files ---------------------------------------------------------------------------------------------


def test_a_file_in_another_layout_is_refused_by_name(tmp_path):
    write(tmp_path, "boolq/validation", [{"question": "q", "text": "p"}])
    with pytest.raises(InputError, match="`passage`, `label`") as caught:
        load_benchmark("boolq", tmp_path)
    assert "question, text" in str(caught.value.fix)
    write(tmp_path, "copa/validation", [{"premise": "P.", "choice1": "a", "choice2": "b", "question": "why", "label": 0}])  # fmt: skip
    with pytest.raises(InputError, match="why"):
        load_benchmark("copa", tmp_path)
    write(tmp_path, "siqa/validation", [{"context": None, "question": "q", "answerA": "a", "answerB": "b", "answerC": "c", "label": 1}])  # fmt: skip
    with pytest.raises(InputError, match="`context` is no text"):
        load_benchmark("siqa", tmp_path)


def test_parquet_and_json_arrays_are_read_too(tmp_path):
    rows = [{"text": "one two"}, {"text": "three four"}]
    write(tmp_path / "lines", "lambada/test", rows)
    for name in ("table", "array"):
        (tmp_path / name / "lambada").mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "table/lambada/test.parquet")
    (tmp_path / "array/lambada/test.json").write_text(json.dumps(rows))
    read = [load_benchmark("lambada", tmp_path / name) for name in ("lines", "table", "array")]
    assert read[0] == read[1] == read[2] and len(read[0]) == 2
    (tmp_path / "array/lambada/test.json").write_text("[1]")
    with pytest.raises(InputError, match="JSON objects"):
        load_benchmark("lambada", tmp_path / "array")
    (tmp_path / "table/lambada/test.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="cannot be read"):
        load_benchmark("lambada", tmp_path / "table")


def test_only_usual_benchmarks_are_asked_unnamed(tmp_path):
    write(tmp_path, "lambada/test", [{"text": "one two"}])
    write(tmp_path, "piqa/validation", [{"goal": "g", "sol1": "a", "sol2": "b", "label": 0}])
    assert held_in(tmp_path) == ["piqa"]
    assert set(usual_benchmarks()) < set(BENCHMARKS)
    with pytest.raises(MissingBenchmark, match=r"validation\.jsonl"):
        load_benchmark("boolq", tmp_path)
    with pytest.raises(ConfigError):
        load_benchmark("boolqs", tmp_path)


# -- generated texts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["needle", "needles", "retrieval"])
@pytest.mark.parametrize("tokens", LENGTHS)
def test_what_is_hidden_is_there_once_and_the_length_holds(tmp_path, kind, tokens):
    items = load_benchmark(f"{kind}_{tokens}", tmp_path)
    assert len(items) == ITEMS and items == load_benchmark(f"{kind}_{tokens}", tmp_path)
    room = tokens * (2 if kind == "retrieval" else 4)
    for item in items:
        assert all(item.prompt.count(number) == 1 for number in item.answer)
        assert room * 0.6 - 400 < len(item.prompt) <= room
        assert grade_text(item, " and ".join(item.answer)).right
    assert len({tuple(item.answer) for item in items}) == ITEMS


def test_depth_runs_from_the_start_to_the_end(tmp_path):
    for kind in ("needle", "retrieval"):
        items = load_benchmark(f"{kind}_2048", tmp_path)
        depths = [item.prompt.index(item.answer[0]) / len(item.prompt) for item in items]
        assert depths[0] < 0.1 and depths[-1] > 0.9
        assert all(abs(depth - n / (ITEMS - 1)) < 0.1 for n, depth in enumerate(depths))


def test_part_of_the_needles_is_part_of_the_credit(tmp_path):
    item = load_benchmark("needles_512", tmp_path)[0]
    half = grade_text(item, f"{item.answer[0]}, {item.answer[3]}")
    assert (half.right, half.credit) == (False, 0.5)


# -- function calls ------------------------------------------------------------------------------------

AREA = {
    "name": "geometry.area",
    "description": "Area.",
    "parameters": {
        "type": "dict",
        "properties": {
            "base": {"type": "integer"},
            "height": {"type": "float"},
            "unit": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "exact": {"type": "boolean"},
            "box": {"type": "dict"},
        },
        "required": ["base", "height"],
    },
}
WANTED = {"geometry.area": {"base": [10], "height": [5.0], "unit": ["cm", "square centimetres", ""]}}


def area(**arguments):
    return {"name": "geometry.area", "arguments": arguments}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ([area(base=10, height=5.0)], ""),
        ([area(base=10, height=5)], ""),  # a whole number stands for a decimal one
        ([area(base=10.0, height=5)], "is no integer"),
        ([area(base=10, height=5, unit="Square-Centimetres")], ""),
        ([area(base=10, height=5, unit="m")], "another value"),
        ([area(base=10)], "`height` is missing"),
        ([area(base=10, height=5, depth=1)], "no argument `depth`"),
        ([area(base="10", height=5)], "is no integer"),
        ([area(base=True, height=5)], "is no integer"),
        ([{"name": "area", "arguments": {"base": 10, "height": 5}}], "called, not"),
        ([], "0 calls where 1"),
        ([area(base=10, height=5)] * 2, "2 calls where 1"),
    ],
)
def test_one_call(given, fault):
    found = calls_fault([WANTED], given, [AREA])
    assert fault in found and bool(fault) == bool(found)


@pytest.mark.parametrize(
    ("accepted", "value", "right"),
    [
        ({"tags": [["a", "b"]]}, {"tags": ["A", "b."]}, True),
        ({"tags": [["a", "b"]]}, {"tags": ["b", "a"]}, False),
        ({"tags": [["a", "b"], ["b", "a"]]}, {"tags": ["b", "a"]}, True),
        ({"exact": [True]}, {"exact": True}, True),
        ({"exact": [True]}, {"exact": 1}, False),
        ({"box": [{"w": [1, 2], "h": [""]}]}, {"box": {"w": 2}}, True),
        ({"box": [{"w": [1, 2], "h": [""]}]}, {"box": {"w": 3}}, False),
        ({"box": [{"w": [1]}]}, {"box": {"w": 1, "x": 1}}, False),
        ({"unit": ["cm"]}, {}, False),
        ({"unit": ["cm", ""]}, {}, True),
    ],
)
def test_values_of_every_kind(accepted, value, right):
    wanted = {"geometry.area": {"base": [1], "height": [1], **accepted}}
    assert (calls_fault([wanted], [area(base=1, height=1, **value)], [AREA]) == "") is right


def test_parallel_calls_come_in_any_order_and_each_counts_once():
    wanted = [{"geometry.area": {"base": [n], "height": [1]}} for n in (1, 2)]
    assert calls_fault(wanted, [area(base=2, height=1), area(base=1, height=1)], [AREA]) == ""
    assert calls_fault(wanted, [area(base=1, height=1)] * 2, [AREA])


def test_texts_agree_without_light_punctuation():
    assert standard("New York, 'N.Y.'") == standard('new-york "NY"')


def test_types_become_json_schema():
    types = as_tool(AREA)["parameters"]
    assert types["type"] == "object" and types["properties"]["height"]["type"] == "number"
    assert types["properties"]["tags"] == {"type": "array", "items": {"type": "string"}}
    assert AREA["parameters"]["type"] == "dict"


def test_bfcl_files_and_irrelevance(tmp_path):
    question = [[{"role": "user", "content": "Area of 10 by 5?"}]]
    for part in ("simple", "irrelevance"):
        write(
            tmp_path, f"bfcl/BFCL_v3_{part}", [{"id": f"{part}_0", "question": question, "function": [AREA]}]
        )
    write(tmp_path, "bfcl/possible_answer/BFCL_v3_simple", [{"id": "simple_0", "ground_truth": [WANTED]}])  # fmt: skip
    # The checker's answers stand under the same name in a folder of their own.
    simple = only("bfcl_simple", tmp_path)
    assert simple.tools[0]["parameters"]["type"] == "object"
    call = '<tool_call>{"name": "geometry.area", "arguments": {"base": 10, "height": 5}}</tool_call>'
    assert grade_text(simple, call).right
    assert not grade_text(simple, "50").right
    nothing = only("bfcl_irrelevance", tmp_path)
    assert grade_text(nothing, "No function fits.").right
    assert not grade_text(nothing, call).right and not grade_text(nothing, "").right
