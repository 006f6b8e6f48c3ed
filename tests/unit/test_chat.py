"""Chat template: one text from our renderer and from Jinja, safe pieces, strict tool calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolforge.errors import InputError
from smolforge.text import tokenizer as engine
from smolforge.text.chat import CHAT_TEMPLATE, parse_tool_calls, pieces, render
from smolforge.text.tokenizer import Tok, load_tokenizer

words = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["<|im_end|>", "\n", " a", "'\"<&>", "{{x}}", "<tool_call>", "", "{% raw %}", "\n\n  x"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
calls = st.fixed_dictionaries({"name": words, "arguments": st.dictionaries(words, values, max_size=2)})
wrapped_calls = calls.map(lambda call: {"type": "function", "function": call})
turns = st.one_of(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": words}
    ),
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": words | st.none()},
        optional={"tool_calls": st.lists(calls | wrapped_calls, max_size=2)},
    ),
)
tool_lists = st.none() | st.lists(st.dictionaries(words, values, max_size=3), max_size=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    engine.save(engine.train(["system user assistant tool name arguments hello there\n"] * 20, 360), folder)
    return folder


@pytest.fixture(scope="module")
def tok(folder: Path) -> Tok:
    return load_tokenizer(folder)


@given(st.lists(turns, max_size=5), tool_lists, st.booleans())
@settings(max_examples=200, deadline=None)
def test_jinja_renders_what_we_render(messages: list[dict], tools: list[dict] | None, prompt: bool) -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    got, _ = render_jinja_template(
        conversations=[messages], tools=tools, chat_template=CHAT_TEMPLATE, add_generation_prompt=prompt
    )
    assert got[0] == render(messages, tools, prompt)


def test_the_format_is_what_we_say_it_is() -> None:
    tool = {"name": "add", "parameters": {}}
    text = render(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Add 1 and 2."},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"name": "add", "arguments": {"a": 1, "b": 2}}],
            },
            {"role": "tool", "content": "3"},
            {"role": "assistant", "content": "3."},
        ],
        [tool],
    )
    assert text == (
        '<|im_start|>system\nBe brief.\n<tools>[{"name": "add", "parameters": {}}]</tools><|im_end|>\n'
        "<|im_start|>user\nAdd 1 and 2.<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>{"name": "add", "arguments": {"a": 1, "b": 2}}</tool_call><|im_end|>\n'
        "<|im_start|>tool\n<tool_response>3</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n3.<|im_end|>\n"
    )


def test_no_default_system_message_and_a_generation_prompt() -> None:
    text = render([{"role": "user", "content": "Hi"}], add_generation_prompt=True)
    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


@given(st.lists(turns, max_size=4), tool_lists)
@settings(max_examples=100, deadline=None)
def test_ids_read_back_as_the_rendered_text_and_control_comes_from_the_template_alone(
    tok: Tok, messages: list[dict], tools: list[dict] | None
) -> None:
    ids, learn = tok.encode_chat(messages, tools)
    assert tok.decode(ids) == render(messages, tools)
    assert len(ids) == len(learn)
    expected = [piece.text for piece in pieces(messages, tools) if piece.kind == "control"]
    assert [token for token in ids if token in tok.specials.values()] == [
        tok.specials[text] for text in expected
    ]


def test_loss_covers_the_assistants_words_and_the_end_of_its_turn(tok: Tok) -> None:
    ids, learn = tok.encode_chat(
        [
            {"role": "user", "content": "question"},
            {"role": "assistant", "content": "yes", "tool_calls": [{"name": "f", "arguments": {}}]},
            {"role": "tool", "content": "result"},
            {"role": "assistant", "content": "done"},
        ]
    )
    learned = tok.decode([token for token, counts in zip(ids, learn, strict=True) if counts])
    assert learned == 'yes\n<tool_call>{"name": "f", "arguments": {}}</tool_call><|im_end|>done<|im_end|>'


@given(words)
@settings(max_examples=50, deadline=None)
def test_training_on_an_answer_continues_the_generation_prompt(tok: Tok, answer: str) -> None:
    question = [{"role": "user", "content": "Hi"}]
    prompt, _ = tok.encode_chat(question, add_generation_prompt=True)
    whole, _ = tok.encode_chat([*question, {"role": "assistant", "content": answer}])
    assert whole[: len(prompt)] == prompt
    assert whole[len(prompt) :] == [*tok.encode(answer), tok.turn_end_id, *tok.encode("\n")]


def test_transformers_gives_the_same_ids_for_harmless_conversations(folder: Path, tok: Tok) -> None:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(str(folder))
    messages = [
        {"role": "system", "content": "  spaces first"},
        {"role": "user", "content": "\n\nHow are you? 12 é 🙂\n"},
        {"role": "assistant", "content": "Well, thank you."},
    ]
    tools = [{"name": "f", "description": "<b> & 'c'"}]
    for prompt in (False, True):
        got = theirs.apply_chat_template(
            messages, tools=tools, add_generation_prompt=prompt, return_dict=False
        )
        assert got == tok.encode_chat(messages, tools, prompt)[0]


def test_fill_in_the_middle(tok: Tok) -> None:
    ids = tok.encode_fim("a<fim_middle>", "b")
    assert tok.decode(ids) == "<fim_prefix>a<fim_middle><fim_suffix>b<fim_middle>"
    assert ids.count(tok.specials["<fim_middle>"]) == 1


def test_good_tool_calls_are_read() -> None:
    text = 'Let me see.\n<tool_call>{"name": "f", "arguments": {"x": [1]}}</tool_call>\n<tool_call>{"name": "g", "arguments": {}}</tool_call>'
    assert parse_tool_calls(text) == [{"name": "f", "arguments": {"x": [1]}}, {"name": "g", "arguments": {}}]


DEEP = "[" * 50 + "]" * 50


@pytest.mark.parametrize(
    "body",
    [
        "",
        "f(1)",
        '{"name": "f"}',
        '{"name": "f", "arguments": "{}"}',
        '{"name": 1, "arguments": {}}',
        '{"name": "", "arguments": {}}',
        '{"name": "f", "arguments": {}, "more": 1}',
        '{"name": "f", "arguments": {"x": NaN}}',
        '{"name": "f", "arguments": {"x": ' + DEEP + "}}",
        '{"name": "f", "arguments": {"x": ' + "[" * 100_000 + "}}",
        '{"name": "f", "arguments": {"x": "' + "y" * 20_000 + '"}}',
        '[{"name": "f", "arguments": {}}]',
    ],
)
def test_a_malformed_call_is_no_call(body: str) -> None:
    good = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
    assert parse_tool_calls(f"<tool_call>{body}</tool_call>") is None
    assert parse_tool_calls(f"{good}<tool_call>{body}</tool_call>") is None


def test_no_call_an_open_call_and_too_many_calls() -> None:
    assert parse_tool_calls("plain words") is None
    assert parse_tool_calls('<tool_call>{"name": "f", "arguments": {}}') is None
    call = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
    assert parse_tool_calls(call * 17) is None


@given(st.lists(calls, min_size=1, max_size=3))
@settings(max_examples=50, deadline=None)
def test_rendered_calls_are_read_back(given_calls: list[dict]) -> None:
    text = render([{"role": "assistant", "content": "", "tool_calls": given_calls}])
    hostile = any("tool_call>" in json.dumps(call) for call in given_calls)
    nameless = any(not call["name"] for call in given_calls)
    if not hostile and not nameless:
        assert parse_tool_calls(text) == given_calls


@pytest.mark.parametrize(
    "message",
    [
        {"content": "x"},
        {"role": "root", "content": "x"},
        {"role": "user", "content": ["x"]},
        {"role": "assistant", "tool_calls": [{"name": "f"}]},
        {"role": "assistant", "tool_calls": ["f"]},
        "text",
    ],
)
def test_a_malformed_message_is_an_input_error(message: object) -> None:
    with pytest.raises(InputError):
        render([message])  # type: ignore[list-item]
