"""A judge behind a real endpoint on this machine: retries, cache, budget, both orders, broken replies, and no key anywhere."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from smolforge.errors import ConfigError, InputError, MissingExtra, StageError
from smolforge.evals import judge as judges
from smolforge.evals.judge import KEY, Judge, endpoint, known_address
from smolforge.evals.tasks.open_questions import alpaca_eval, judge_prompts, mt_bench
from smolforge.evals.turns import answer_turns
from smolforge.evals.verdicts import (
    OpenQuestion,
    compare,
    filled,
    pair_value,
    rate,
    rating,
    rating_scores,
    winner,
)

SECRET = "sk-never-written"
TEMPLATES = {
    "single-v1": {"system_prompt": "Be fair.", "prompt_template": "Q {question} A {answer}"},
    "single-v1-multi-turn": {"system_prompt": "", "prompt_template": "{question_1} {answer_1} {question_2} {answer_2}"},
    "single-math-v1": {"system_prompt": "", "prompt_template": "Q {question} REF {ref_answer_1} A {answer}"},
    "single-math-v1-multi-turn": {"system_prompt": "", "prompt_template": "REF {ref_answer_1} {ref_answer_2} A {answer_2}"},
    "pair-v2": {"system_prompt": "", "prompt_template": "Q {question} A {answer_a} B {answer_b}"},
}  # fmt: skip


@pytest.fixture
def server(monkeypatch):
    """`server.reply(body)` gives (status, text); what came in stands in `server.seen`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            httpd.seen.append((body, self.headers["Authorization"]))
            status, text = httpd.reply(body)
            message = {"role": "assistant", "content": text}
            found = {
                "id": "1", "object": "chat.completion", "created": 0, "model": "m",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            }  # fmt: skip
            data = json.dumps(found if status == 200 else {"error": {"message": text}}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.seen, httpd.reply = [], lambda body: (200, "Rating: [[7]]")
    httpd.url = f"http://127.0.0.1:{httpd.server_port}/v1"
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    monkeypatch.setenv(KEY, SECRET)
    yield httpd
    httpd.shutdown()
    httpd.server_close()


def judge_at(server, folder, most_calls=100):
    return Judge("m", server.url, folder, most_calls, endpoint("m", server.url))


def say(text):
    return [{"role": "user", "content": text}]


def test_replies_are_kept_and_asked_for_once(server, tmp_path):
    server.reply = lambda body: (200, body["messages"][0]["content"].upper())
    first = judge_at(server, tmp_path)
    assert first.ask_all([say(f"a{n}") for n in range(9)]) == [f"A{n}" for n in range(9)]
    assert first.calls == len(server.seen) == 9
    again = judge_at(server, tmp_path)
    assert again.ask_all([say("a3"), say("new")]) == ["A3", "NEW"]
    assert (again.calls, again.remembered) == (1, 1)
    assert server.seen[0][1] == f"Bearer {SECRET}"
    assert server.seen[0][0]["temperature"] == 0
    assert not any(SECRET in file.read_text() for file in tmp_path.iterdir())


def test_what_passes_is_tried_again(server, tmp_path):
    failures = iter([429, 500, 503])
    server.reply = lambda body: (next(failures, 200), "[[5]]")
    judge = judge_at(server, tmp_path)
    assert judge.ask(say("a")) == "[[5]]"
    assert (len(server.seen), judge.calls) == (4, 1)


def test_what_does_not_pass_ends_with_a_message_without_the_key(server, tmp_path):
    server.reply = lambda body: (401, f"bad key {SECRET}")
    with pytest.raises(StageError, match="does not answer") as caught:
        judge_at(server, tmp_path).ask(say("a"))
    assert SECRET not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_request_that_is_refused_costs_only_itself(server, tmp_path):
    server.reply = lambda body: (400, "too long") if "b" in body["messages"][0]["content"] else (200, "[[5]]")
    judge = judge_at(server, tmp_path)
    assert judge.ask_all([say("a"), say("b"), say("c")]) == ["[[5]]", "", "[[5]]"]
    assert judge.refused == 1


def test_the_budget_holds_and_what_was_answered_is_kept(server, tmp_path):
    with pytest.raises(StageError, match="budget of 3 calls"):
        judge_at(server, tmp_path, most_calls=3).ask_all([say(str(n)) for n in range(10)])
    assert len(server.seen) == len(list(tmp_path.iterdir())) == 3
    later = judge_at(server, tmp_path, most_calls=7)
    assert len(later.ask_all([say(str(n)) for n in range(10)])) == 10
    assert (later.calls, later.remembered) == (7, 3)


def test_a_damaged_reply_is_asked_for_again(server, tmp_path):
    judge = judge_at(server, tmp_path)
    (tmp_path / f"{judge.key(say('a'))}.json").write_text("{")
    assert judge.ask(say("a")) == "Rating: [[7]]" and judge.calls == 1


def test_no_key_no_client_no_address(monkeypatch):
    monkeypatch.delenv(KEY, raising=False)
    with pytest.raises(InputError, match=KEY):
        endpoint("m", "http://localhost/v1")
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with pytest.raises(MissingExtra, match="openai"):
        endpoint("m", "http://localhost/v1")
    known_address("http://localhost:8000/v1")
    for wrong in ("localhost", "ftp://x/v1", "http://user:pass@host/v1", "http://host/v1?key=1", ""):
        with pytest.raises(ConfigError) as caught:
            known_address(wrong)
        assert "pass" not in str(caught.value)


# -- verdicts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Good. Rating: [[8]]", 8.0),
        ("Rating: [[7.5]]", 7.5),
        ("[[3]] or rather [[9]]", 3.0),
        ("Rating: [6]", 6.0),
        ("[2] sources. Rating: [[9]]", 9.0),
        ("Rating: 8", None),
        ("Rating: [[11]]", None),
        ("Rating: [[0]]", None),
        ("[[rating]]", None),
        ("", None),
    ],
)
def test_ratings(reply, value):
    assert rating(reply) == value


@pytest.mark.parametrize(
    ("straight", "turned", "value"),
    [
        ("[[A]]", "[[B]]", 1.0),
        ("[[B]]", "[[A]]", 0.0),
        ("[[A]]", "[[A]]", 0.5),  # the first place wins: no verdict on the answers
        ("[[C]]", "[[C]]", 0.5),
        ("[[A]]", "[[C]]", 0.5),
        ("[[A]]", "both are fine", None),
        ("", "[[B]]", None),
    ],
)
def test_pairs_are_won_in_both_orders_or_not_at_all(straight, turned, value):
    assert pair_value(straight, turned) == value


def test_the_last_named_winner_counts():
    assert winner('Answer "[[A]]" or "[[B]]"; mine is [[B]]') == "B"


def test_braces_in_an_answer_stay_what_they_are():
    [system, asked] = filled(
        TEMPLATES, "single-v1", {"question": "{answer}", "answer": "{question.__class__} {0}"}
    )
    assert asked["content"] == "Q {answer} A {question.__class__} {0}"
    assert system == {"role": "system", "content": "Be fair."}
    with pytest.raises(InputError, match="no judge prompt"):
        filled(TEMPLATES, "single-v9", {})


def test_every_turn_is_rated_and_broken_replies_are_counted(server, tmp_path):
    def reply(body):
        asked = body["messages"][-1]["content"]
        return 200, "no idea" if "q3" in asked else f"[[{8 if 'REF' in asked else 4}]]"

    server.reply = reply
    questions = [
        OpenQuestion("1", "math", ["q1", "q1b"], ["r1", "r1b"]),
        OpenQuestion("2", "writing", ["q2", "q2b"]),
        OpenQuestion("3", "writing", ["q3", "q3b"]),
    ]
    found = rate(judge_at(server, tmp_path), TEMPLATES, questions, [["x", "y"]] * 3)
    assert [one.value for one in found] == [8, 8, 4, 4, None, None]
    whole, mathematics, writing = rating_scores("mt_bench", found, 1.0, 10.0, "rating")
    assert (whole.value, whole.items, whole.detail["broken"]) == (6.0, 4, 2)
    assert (mathematics.skill, mathematics.value) == ("mt_bench_math", 8.0)
    assert (writing.value, writing.items) == (4.0, 2)
    assert 1 <= whole.low <= whole.value <= whole.high <= 10
    with pytest.raises(InputError, match="none of the judge"):
        rating_scores("mt_bench", [one for one in found if one.value is None], 1.0, 10.0, "rating")


def test_both_orders_of_a_pair_are_asked(server, tmp_path):
    def reply(body):
        asked = body["messages"][-1]["content"]
        return 200, "[[A]]" if asked.index("good") < asked.index("bad") else "[[B]]"

    server.reply = reply
    questions = [OpenQuestion(str(n), "alpaca_eval", ["q"]) for n in range(2)]
    found = compare(judge_at(server, tmp_path), TEMPLATES, questions, ["good", "bad"], ["bad", "good"])
    assert [one.value for one in found] == [1.0, 0.0]
    contents = sorted({body["messages"][-1]["content"] for body, _ in server.seen})
    assert contents == ["Q q A bad B good", "Q q A good B bad"]
    [score] = rating_scores("alpaca_eval", found, 0.0, 1.0, "share")
    assert (score.value, score.chance, score.detail["undecided"]) == (0.5, 0.5, 0)


# -- questions and answers -----------------------------------------------------------------------------


def write(folder, place, rows):
    file = folder / f"{place}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_questions_in_their_published_layouts(tmp_path):
    write(tmp_path, "mt_bench/question", [{"question_id": 1, "category": "writing", "turns": ["a", "b"]}, {"question_id": 2, "category": "math", "turns": ["c", "d"]}])  # fmt: skip
    write(
        tmp_path, "mt_bench/reference_answer_gpt-4", [{"question_id": 2, "choices": [{"turns": ["1", "2"]}]}]
    )
    write(tmp_path, "mt_bench/judge_prompts", [{"name": name, **one} for name, one in TEMPLATES.items()])
    write(tmp_path, "alpaca_eval/alpaca_eval", [{"instruction": "i", "output": "o", "generator": "g"}])
    first, second = mt_bench(tmp_path)
    assert (first.references, first.temperature, second.references, second.temperature) == (
        (),
        0.7,
        ["1", "2"],
        0.0,
    )
    assert judge_prompts(tmp_path)["pair-v2"]["prompt_template"] == TEMPLATES["pair-v2"]["prompt_template"]
    assert [(q.turns, q.references) for q in alpaca_eval(tmp_path)] == [(["i"], ["o"])]
    write(tmp_path, "mt_bench/question", [{"question_id": 1, "category": "writing", "turns": "a"}])
    with pytest.raises(InputError, match="turns"):
        mt_bench(tmp_path)


class Parrot:
    """Repeats the last message of the conversation it was shown."""

    start_id, end_ids = 0, (1,)

    def __init__(self):
        self.shown, self.how = [], []

    def encode_chat(self, messages, tools=None, add_generation_prompt=False):
        self.shown.append(messages)
        return [len(self.shown) - 1], []

    def decode(self, ids, skip_special=False):
        return f" {self.shown[ids[0]][-1]['content']}! "

    def generate(self, prompts, how, stop=(), ended=None, told=None):
        self.how.append(how)
        return [list(prompt) for prompt in prompts]


def test_each_turn_sees_the_ones_before_it():
    parrot = Parrot()
    questions = [OpenQuestion("1", "w", ["a", "b"], temperature=0.7), OpenQuestion("2", "m", ["c"])]
    assert answer_turns(parrot, parrot, questions, 8, seed=5) == [["a!", "b!"], ["c!"]]
    assert parrot.shown[-1] == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "a!"},
        {"role": "user", "content": "b"},
    ]
    assert [(how.temperature, how.seed, how.max_new_tokens) for how in parrot.how] == [
        (0.0, 5, 8),
        (0.7, 5, 8),
        (0.7, 6, 8),
    ]


def test_the_cache_lies_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("SMOL_CACHE", str(tmp_path))
    assert judges.cache_folder() == tmp_path / "judge"
