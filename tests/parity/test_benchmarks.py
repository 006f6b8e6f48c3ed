"""Real benchmarks: their own reference solutions and answers must be graded right, blank answers wrong."""

from collections import Counter

import pytest

from smolforge.evals.grade import grade_answers
from smolforge.evals.sandbox import Limits
from smolforge.evals.tasks import BENCHMARKS, load_benchmark
from smolforge.evals.tasks.rows import MissingBenchmark, read_rows

NOT_AT_HAND = {"cnn_dailymail", "coqa", "drop", "open_rewrite", "squad_v2"} | {
    name for name in BENCHMARKS if name.startswith("bfcl_")
}
"""Those whose files the folder of real data does not have; their layouts are tested in `unit/test_tasks.py`."""
PATIENT = Limits(cpu_seconds=8.0, wall_seconds=30.0)


@pytest.fixture
def folder(shared_data):
    if not (shared_data / "benchmarks").is_dir():
        pytest.skip("no benchmarks in the folder of real data")
    return shared_data / "benchmarks"


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_every_benchmark_reads_whole(folder, name):
    if name in NOT_AT_HAND:
        with pytest.raises(MissingBenchmark):
            load_benchmark(name, folder)
        return
    items = load_benchmark(name, folder)
    assert len(items) >= 50
    assert len({one.id for one in items}) == len(items)
    assert all(one.skill == name for one in items)
    if items[0].kind == "choice":
        assert all(one.answer < len(one.choices) for one in items)
        most_common = Counter(one.answer for one in items).most_common(1)[0][1]
        assert most_common / len(items) < items[0].chance + 0.15  # a wrong key column would show here


@pytest.mark.parametrize(("name", "file"), [("humaneval", "HumanEval"), ("mbpp", "test")])
def test_reference_programs_pass_and_nothing_fails(folder, name, file):
    items, rows = load_benchmark(name, folder), read_rows(folder / name, file)
    solutions = [
        row.get("canonical_solution") or row["code"].replace("\r\n", "\n") + "\n[DONE]" for row in rows
    ]
    right = [grade.right for grade in grade_answers(items, solutions, "text", PATIENT)]
    assert sum(right) >= len(items) - 1
    assert not any(grade.right for grade in grade_answers(items[:40], ["    pass"] * 40, "text", PATIENT))


def test_reference_answers_of_gsm8k_are_right(folder):
    items, rows = load_benchmark("gsm8k", folder), read_rows(folder / "gsm8k", "test")
    answers = [f" {row['answer']}\n\nQuestion: 1 + 1?\nAnswer: #### 2" for row in rows]
    assert all(grade.right for grade in grade_answers(items, answers, "text"))
    shifted = answers[1:] + answers[:1]
    assert sum(grade.right for grade in grade_answers(items, shifted, "text")) < len(items) // 10


def test_every_alias_of_triviaqa_is_right(folder):
    items = load_benchmark("triviaqa", folder)
    answers = [f" {one.answer[-1]}\nQuestion: next" for one in items]
    assert all(grade.right for grade in grade_answers(items, answers, "text"))


def test_ifeval_instructions_all_have_a_checker(folder):
    items = load_benchmark("ifeval", folder)
    grades = grade_answers(items, ["A short plain reply."] * len(items), "text")
    assert 0 < sum(grade.right for grade in grades) < len(items) // 2
