"""Conversations made by rules: right by their own checks, split by content, the same on every run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from random import Random

import pytest

from smolforge.errors import ConfigError
from smolforge.evals.grade import grade_text
from smolforge.evals.task import Item, item_from_plain
from smolforge.written.conversations import (
    DEFAULT_SHARES,
    ITEM_SKILLS,
    chat_prose,
    conversations,
    held_out_chats,
    items,
)
from smolforge.written.conversations.baselines import is_copy_right, is_right
from smolforge.written.conversations.mixing import COMPONENTS
from smolforge.written.conversations.sentences import Clause, I, Subject, Verb

OWN_SHARES = {skill: 1 / len(COMPONENTS) for skill in COMPONENTS}
ROWS_OF_EACH = 400


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return list(conversations(3, ROWS_OF_EACH * len(COMPONENTS), OWN_SHARES))


@pytest.fixture(scope="module")
def held_out() -> dict[str, list[Item]]:
    return {skill: items(skill, 11, 150) for skill in ITEM_SKILLS}


def answer_of(row: dict) -> str:
    """What the assistant says where the row's item asks."""
    message = row["messages"][len(row["item"]["messages"])]
    calls = message.get("tool_calls")
    if calls:
        return "".join(f"<tool_call>{json.dumps(call)}</tool_call>" for call in calls)
    return message["content"]


def test_every_row_with_an_item_passes_its_own_check(rows):
    checked = Counter()
    for row in rows:
        if "item" in row:
            item = item_from_plain(row["item"], row["id"])
            grade = grade_text(item, answer_of(row))
            assert grade.right, (row["messages"], grade.reason)
            checked[row["skill"]] += 1
    assert all(checked[skill] > ROWS_OF_EACH // 2 for skill in ITEM_SKILLS)


def test_rows_are_whole_conversations(rows):
    for row in rows:
        roles = [message["role"] for message in row["messages"]]
        assert roles[-1] == "assistant"
        assert roles[0] in ("user", "system")
        before = None
        for message in row["messages"]:
            role = message["role"]
            assert (before, role) in {
                (None, "system"), (None, "user"), ("system", "user"), ("user", "assistant"),
                ("assistant", "user"), ("assistant", "tool"), ("tool", "tool"), ("tool", "assistant"),
            }  # fmt: skip
            assert message["content"].strip() or message.get("tool_calls")
            before = role
        json.dumps(row)


def test_no_template_is_left_unfilled(rows):
    for row in rows:
        for message in row["messages"]:
            text = message["content"]
            assert not re.search(r"\{\w+\}", text), text
            assert "  " not in text, text
            assert not re.search(
                r"\.\.(?!\.)|\?\?(?!\?)| [.,?]", text.replace("...", "").replace("???", "")
            ), text


def test_answers_are_short_whole_sentences(rows):
    for row in rows:
        for message in row["messages"]:
            if message["role"] == "assistant" and row["skill"] in ("everyday", "rewriting", "summarising"):
                assert len(message["content"].split()) <= 60
                if "title" not in json.dumps(row["messages"]):
                    assert (
                        message["content"][-1] in ".!?'*\""
                        or "\n" in message["content"]
                        or "-after-" in row["id"]
                    )


def test_calls_fit_the_offered_tools(rows):
    calls = 0
    for row in rows:
        schemas = {tool["name"]: tool["parameters"] for tool in row["tools"]}
        for message in row["messages"]:
            for call in message.get("tool_calls", ()):
                properties = schemas[call["name"]]["properties"]
                assert set(call["arguments"]) == set(properties)
                for name, value in call["arguments"].items():
                    assert isinstance(value, {"string": str, "integer": int}[properties[name]["type"]])
                calls += 1
    assert calls > ROWS_OF_EACH // 2


def test_arguments_of_a_call_stand_in_the_question(held_out):
    for item in held_out["tools"]:
        question = " ".join(message["content"] for message in item.messages).lower()
        for value in item.answer["arguments"].values():
            assert str(value).lower() in question


def test_held_out_calls_and_summaries_are_never_trained_on(rows, held_out):
    calls = {
        json.dumps(call, sort_keys=True)
        for row in rows
        for m in row["messages"]
        for call in m.get("tool_calls", ())
    }
    assert not calls & {json.dumps(item.answer, sort_keys=True) for item in held_out["tools"]}
    said = {message["content"] for row in rows for message in row["messages"]}
    assert not said & {item.answer for item in held_out["summarising"]}
    asked = {" | ".join(m["content"] for m in row["messages"] if m["role"] == "user") for row in rows}
    questions = [
        " | ".join(m["content"] for m in item.messages if m["role"] == "user")
        for skill in ITEM_SKILLS
        for item in held_out[skill]
    ]
    assert not asked.intersection(questions)


def test_held_out_instructions_are_new_combinations(rows, held_out):
    trained = {
        json.dumps(row["item"]["checks"], sort_keys=True)
        for row in rows
        if row["skill"] == "instructions" and "item" in row
    }
    asked = [json.dumps(item.checks, sort_keys=True) for item in held_out["instructions"]]
    assert len(asked) == len(held_out["instructions"])
    new = sum(checks not in trained for checks in asked)
    # Requests with no style or no shape share their checks with others that have a check-free part.
    assert new / len(asked) > 0.85


def test_copying_the_question_or_a_blind_answer_is_wrong(held_out):
    for skill, found in held_out.items():
        assert not any(is_copy_right(item) for item in found)
        assert sum(item.chance for item in found) / len(found) < 0.05, skill


def test_copying_one_sentence_of_a_passage_is_no_summary(held_out):
    for item in held_out["summarising"]:
        passage = max(item.messages[-1]["content"].split("\n"), key=len)
        for sentence in re.split(r"(?<=[.!?]) ", passage):
            assert not is_right(item, sentence), (item.answer, sentence)


def test_an_answer_off_by_a_word_is_no_rewriting(held_out):
    wrong = 0
    for item in held_out["rewriting"]:
        if item.kind == "overlap":
            spoilt = str(item.answer).split()
            del spoilt[len(spoilt) // 2]
            wrong += not is_right(item, " ".join(spoilt[1:]))
    assert wrong > 0.9 * sum(item.kind == "overlap" for item in held_out["rewriting"])


def test_items_are_different_and_ready_to_ask(held_out):
    for skill, found in held_out.items():
        assert len({item.id for item in found}) == len(found)
        assert len({json.dumps(item.messages) for item in found}) == len(found)
        for item in found:
            assert item.skill == skill
            assert item.prompt.endswith("\nAssistant:")
            assert 0 < item.max_new_tokens <= 80


def test_shares_are_exact_and_ids_stable():
    shares = {"everyday": 0.5, "rewriting": 0.3, "tools": 0.2}
    first = list(conversations(5, 100, shares))
    assert Counter(row["skill"] for row in first) == {"everyday": 50, "rewriting": 30, "tools": 20}
    assert len({row["id"] for row in first}) == 100
    assert first == list(conversations(5, 100, shares))
    assert first != list(conversations(6, 100, shares))


def test_some_chats_hold_two_tasks_and_ask_for_the_last(rows):
    mixed = [row for row in rows if "-after-" in row["id"]]
    assert 0.02 < len(mixed) / len(rows) < 0.1
    with_item = [row for row in mixed if "item" in row]
    assert len(with_item) > len(mixed) // 3
    for row in with_item:
        assert len(row["item"]["messages"]) >= 3
        assert row["item"]["messages"] == row["messages"][: len(row["item"]["messages"])]


def test_the_same_on_every_run_whatever_the_hash_seed():
    program = (
        "import json,hashlib\n"
        "from smolforge.written.conversations import conversations, items\n"
        "shares = {'everyday': .2, 'system': .2, 'instructions': .2, 'summarising': .2, 'tools': .2}\n"
        "rows = [*conversations(1, 60, shares), [i.answer for i in items('instructions', 1, 20)]]\n"
        "print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_held_out_chats_share_nothing_with_training(rows):
    trained = {json.dumps(row["messages"]) for row in rows}
    kept = list(held_out_chats(4, 120))
    assert {row["skill"] for row in kept} == set(COMPONENTS)
    assert not trained & {json.dumps(row["messages"]) for row in kept}
    assert kept == list(held_out_chats(4, 120))


def test_prose_has_the_same_form_and_other_rows():
    prose = list(chat_prose(3, 300))
    assert len(prose) == 300
    assert all({"id", "skill", "messages", "tools"} <= set(row) for row in prose)
    tuned = {json.dumps(row["messages"]) for row in conversations(3, 300, OWN_SHARES)}
    assert len(tuned & {json.dumps(row["messages"]) for row in prose}) < 6


def test_the_usual_mix_has_mathematics_code_and_knowledge():
    pytest.importorskip("smolforge.written.synthetic.chats")
    mixed = list(conversations(2, 200))
    counts = Counter(row["skill"] for row in mixed)
    assert counts == {skill: round(share * 200) for skill, share in DEFAULT_SHARES.items()}
    assert len({row["id"] for row in mixed}) == 200
    assert all(row["messages"][-1]["role"] == "assistant" for row in mixed)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"everyday": 0.5, "tools": 0.55}, "1.05"),
        ({"everday": 1.0}, "everday"),
        ({"everyday": 1.5, "tools": -0.5}, "-0.5"),
    ],
)
def test_impossible_shares_are_named(shares, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        next(conversations(1, 10, shares))


def test_items_of_an_unknown_skill_are_refused():
    with pytest.raises(ConfigError, match="cooking"):
        items("cooking", 1, 5)


def test_default_shares_add_up():
    assert sum(DEFAULT_SHARES.values()) == pytest.approx(1)


ANNA = Subject("Anna", "she", "her")
LOSE = Verb("lose", "loses", "lost")


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (Clause(ANNA, LOSE, "{my} keys", "at noon").statement(), "Anna loses her keys at noon."),
        (Clause(I, LOSE, "{my} keys", "").statement("past"), "I lost my keys."),
        (Clause(I, LOSE, "{my} keys", "").statement(negative=True), "I do not lose my keys."),
        (Clause(ANNA, LOSE, "a pen", "").statement("past", negative=True), "Anna did not lose a pen."),
        (Clause(ANNA, LOSE, "a pen", "").question(), "Does Anna lose a pen?"),
        (Clause(I, LOSE, "a pen", "today").question("future"), "Will I lose a pen today?"),
        (
            Clause(Subject("The boys", "they", "their", False), LOSE, "a pen", "").question(),
            "Do the boys lose a pen?",
        ),
        (Clause(ANNA, LOSE, "a pen", "").wrong_agreement(), "Anna lose a pen."),
        (Clause(I, LOSE, "{my} pen", "").about(ANNA).statement(), "Anna loses her pen."),
    ],
)
def test_grammar_of_simple_sentences(made, wanted):
    assert made == wanted


@pytest.mark.parametrize("skill", sorted(COMPONENTS))
def test_components_are_varied(skill):
    chats = [COMPONENTS[skill](Random(f"varied/{i}")) for i in range(300)]
    different = {json.dumps([message["content"] for message in chat.messages]) for chat in chats}
    assert len(different) > 240
