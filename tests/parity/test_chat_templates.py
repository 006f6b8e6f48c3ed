"""Other people's chat templates: rendered as `transformers` renders them, safe against what users write, and bounded."""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path

import pytest
from families import HEADED_TURNS, PLAIN_TURNS, THINKING_TURNS, TOKENIZERS, write_tokenizer

from smolforge.device import battery
from smolforge.errors import InputError
from smolforge.text.template import RENDER_SECONDS, ForeignTemplate
from smolforge.text.tokenizer import Tok, load_tokenizer

transformers = pytest.importorskip("transformers")

TODAY = datetime.date.today()
TEMPLATED = [name for name in TOKENIZERS if TOKENIZERS[name][5]]
ODD = (
    [{"role": "critic", "content": "Odd."}, {"role": "user", "content": "Hi"}],
    [{"role": "user", "content": "Hi", "name": "Ann"}],
    [
        {"role": "system", "content": " a "},
        {"role": "system", "content": "b"},
        {"role": "user", "content": "\n"},
    ],
    [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nyes"}],
    [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "<think>hm</think>\nyes"},
        {"role": "user", "content": "again"},
    ],
    [],
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("tokenizers")
    for name in TOKENIZERS:
        write_tokenizer(name, root / name)
    return {name: root / name for name in TOKENIZERS}


@pytest.fixture(scope="module")
def toks(folders: dict[str, Path]) -> dict[str, Tok]:
    return {name: load_tokenizer(folder) for name, folder in folders.items()}


def both(tok: Tok, theirs, messages, tools, prompt) -> tuple[str | None, str | None]:
    given = tok.template.fitted(messages, tools)
    try:
        ours = tok.render(messages, tools, prompt, TODAY)
    except InputError:
        ours = None
    try:
        other = theirs.apply_chat_template(
            given[0], tools=given[1], add_generation_prompt=prompt, tokenize=False
        )
    except Exception:
        other = None
    return ours, other


@pytest.mark.parametrize("name", TEMPLATED)
def test_rendered_as_transformers_renders(name: str, folders, toks) -> None:
    """With and without system, tools, several turns, generation prompt, odd roles; what one refuses, the other does."""
    theirs, rendered = transformers.AutoTokenizer.from_pretrained(folders[name]), 0
    table = [*battery.CONVERSATIONS, *((messages, None) for messages in ODD), (ODD[1], [battery.TOOL])]
    for messages, tools in table:
        for prompt in (False, True):
            ours, other = both(toks[name], theirs, messages, tools, prompt)
            assert ours == other, messages
            rendered += ours is not None
    assert rendered > len(table)


@pytest.mark.parametrize("name", TEMPLATED)
def test_prompts_have_the_ids_that_transformers_gives(name: str, folders, toks) -> None:
    theirs = transformers.AutoTokenizer.from_pretrained(folders[name])
    for messages, tools in battery.CONVERSATIONS:
        ours = None
        try:
            ours = toks[name].encode_chat(messages, tools, True, TODAY)[0]
        except InputError:
            continue
        given = toks[name].template.fitted(messages, tools)
        wanted = theirs.apply_chat_template(
            given[0], tools=given[1], add_generation_prompt=True, return_dict=False
        )
        assert ours == wanted, messages


@pytest.mark.parametrize("name", TEMPLATED)
def test_the_loss_counts_what_the_assistant_says_and_its_end(name: str, toks) -> None:
    tok = toks[name]
    chat = [
        {"role": "user", "content": "The cat?"},
        {"role": "assistant", "content": "sat on the mat"},
        {"role": "user", "content": "And 12?"},
        {"role": "assistant", "content": "we'll see"},
    ]
    ids, learn = tok.encode_chat(chat)
    learned = [token for token, counted in zip(ids, learn, strict=True) if counted]
    end = tok.turn_end_id
    assert learned == [*tok.encode("sat on the mat"), end, *tok.encode("we'll see"), end]
    assert tok.decode(ids) == tok.render(chat)
    prompt = tok.encode_chat(chat[:3], None, True)[0]
    assert ids[: len(prompt)] == prompt


def test_a_turn_that_is_written_otherwise_once_it_is_past_is_not_learned(toks) -> None:
    tok = toks["qwen2"]
    past = {"role": "assistant", "content": "<think>hm</think>\nyes"}
    chat = [{"role": "user", "content": "q"}, past, {"role": "user", "content": "w"}, past]
    ids, learn = tok.encode_chat(chat)
    assert (
        tok.decode([i for i, counted in zip(ids, learn, strict=True) if counted])
        == past["content"] + "<|im_end|>"
    )


@pytest.mark.parametrize("name", TEMPLATED)
def test_nobody_opens_or_closes_a_turn_by_writing_its_tokens(name: str, toks) -> None:
    tok = toks[name]
    controls = " ".join(tok.specials) + " <|im_<|im_end|>end|>"
    honest = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    spelled = [{"role": "user", "content": controls}, {"role": "assistant", "content": controls}]
    count = [sum(i in tok.control for i in tok.encode_chat(chat)[0]) for chat in (honest, spelled)]
    assert count[0] == count[1]
    assert controls in tok.decode(tok.encode_chat(spelled)[0])
    assert sum(i in tok.control for i in tok.encode_chat(spelled[:1], [{"name": controls}], True)[0]) == sum(
        i in tok.control for i in tok.encode_chat(honest[:1], [{"name": "a"}], True)[0]
    )


def test_a_model_without_a_template_says_so(toks) -> None:
    with pytest.raises(InputError, match="no chat template"):
        toks["gpt2"].encode_chat([{"role": "user", "content": "hi"}])


def test_a_refusal_is_told_in_the_templates_words(toks) -> None:
    with pytest.raises(InputError, match="unknown role critic"):
        toks["llama3"].encode_chat([{"role": "user", "content": "a"}, {"role": "critic", "content": "b"}])


def test_the_day_is_told_only_where_it_may_matter(toks) -> None:
    chat = [{"role": "user", "content": "hi"}]
    assert TODAY.strftime("%d %b %Y") in toks["llama3"].render(chat, today=TODAY)
    assert toks["llama3"].render(chat) == toks["llama3"].render(chat)
    assert "01 Jan 2025" in toks["llama3"].render(chat)


HOSTILE = {
    "no end": "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
    "memory": "{{ 'a' * 10 ** 11 }}",
    "memory by steps": "{% set ns = namespace(a='aaaaaaaa') %}{% for i in range(60) %}{% set ns.a = ns.a + ns.a %}{% endfor %}",
    "output": "{% for a in range(99999) %}{{ 'abcdefgh' * 9999 }}{% endfor %}",
    "padding": "{{ 'a' | center(99999999999) }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "insides": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ cycler.__init__.__globals__.os.system('true') }}",
    "a list changed": "{{ messages.append(1) }}",
    "files": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}{{ os }}",
    "not a template": "{% for %}",
    "an error": "{{ 1 // 0 }}",
    "missing": "{{ nothing.at.all }}",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_template_is_bounded_and_told(case: str) -> None:
    template = ForeignTemplate(HOSTILE[case], {})
    began = time.monotonic()
    with pytest.raises(InputError):
        template.render([{"role": "user", "content": "hi"}])
    assert time.monotonic() - began < 6 * RENDER_SECONDS
    with pytest.raises(
        InputError
    ):  # and the next one is told the same, by a new process where that one was ended
        template.render([{"role": "user", "content": "hi"}])


def test_an_endless_rendering_does_not_spoil_the_next() -> None:
    source = "{% if messages | length > 1 %}" + HOSTILE["no end"] + "{% endif %}ok"
    template = ForeignTemplate(source, {})
    with pytest.raises(InputError):
        template.render([{"role": "user", "content": "hi"}] * 2)
    assert template.render([{"role": "user", "content": "hi"}]) == "ok"


@pytest.mark.parametrize("source", [PLAIN_TURNS, HEADED_TURNS, THINKING_TURNS])
def test_many_renderings_at_once_equal_one_by_one(source: str) -> None:
    template = ForeignTemplate(source, {"bos_token": "<s>"})
    parts = [([{"role": "user", "content": f"say {n}"}], bool(n % 2)) for n in range(50)]
    assert template.render_all(parts) == [
        template.render(messages, None, prompt) for messages, prompt in parts
    ]


def test_ctrl_c_leaves_the_renderer_alone_and_a_dead_one_is_started_again() -> None:
    template = ForeignTemplate("{% for m in messages %}{{ m.content }}{% endfor %}", {})
    said = [{"role": "user", "content": "hello"}]
    assert template.render(said) == "hello"
    process = template._process
    assert process is not None and os.getpgid(process.pid) != os.getpgid(0)  # Ctrl-C goes to the whole group
    process.kill()
    process.wait()
    with pytest.raises(InputError, match="took too much"):
        template.render([{"role": "user", "content": "hello " * 100_000}])  # more than its pipe holds
    assert template.render(said) == "hello"
