"""A chat template as the texts that stand between messages, since a page runs no Jinja.

A page's conversations are simple: a system message or none, then questions and answers in turn. Six texts make them, and
they are held against the template itself: where it does more, the export is refused.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

from smolforge.errors import InputError
from smolforge.text.tokenizer import Tok

MARKS = ("first0mark", "second0mark", "third0mark")
DAYS = (datetime.date(2001, 2, 3), datetime.date(2022, 11, 29))
SHAPES = {
    ("start_user", "user_assistant", "assistant_user", "user_end"): ("user", "assistant", "user"),
    ("start_system", "system_user", "user_end"): ("system", "user"),
}
Messages = Sequence[Mapping[str, Any]]


def chat_plan(tok: Tok) -> dict[str, Any]:
    """What the page's script needs to write a conversation; InputError where these texts cannot say what the template does."""
    between: dict[str, str] = {}
    for names, roles in SHAPES.items():
        messages: Messages = [
            {"role": role, "content": mark} for role, mark in zip(roles, MARKS, strict=False)
        ]
        text = tok.render(messages, add_generation_prompt=True, today=DAYS[0])
        if text != tok.render(messages, add_generation_prompt=True, today=DAYS[1]):
            raise _refused("it writes the date")
        parts = re.split("|".join(MARKS), text)
        if len(parts) != len(names):
            raise _refused("it does not write every message once")
        between.update(zip(names, parts, strict=True))
    plan = {"between": between, "apart": tok.template is None, "markup": tok.template is not None}
    for talk in _checks(tok):
        if framed(tok, plan, talk) != tok.encode_chat(talk, add_generation_prompt=True)[0]:
            raise _refused("it writes a message otherwise depending on its words or its place")
    return plan


def framed(tok: Tok, plan: Mapping[str, Any], messages: Messages) -> list[int]:
    """Ids of a conversation as the page's script makes them."""
    controls = [re.escape(text) for text, index in tok.specials.items() if index in tok.control]
    cut = re.compile(f"({'|'.join(sorted(controls, key=len, reverse=True))})")
    ids: list[int] = []
    run, before = "", "start"

    def flush() -> None:
        nonlocal run
        ids.extend(tok._encode_marked([(run, False)]) if plan["markup"] else tok.encode(run))
        run = ""

    for role, content in [*((m["role"], m["content"]) for m in messages), ("end", "")]:
        for part in cut.split(plan["between"][f"{before}_{role}"]):
            if part in tok.specials and tok.specials[part] in tok.control:
                flush()
                ids.append(tok.specials[part])
            else:
                run += part
        if plan["apart"] and role == "assistant":
            flush()
        run += content
        before = role
    flush()
    return ids


def _checks(tok: Tok) -> list[Messages]:
    control = next((text for text, index in tok.specials.items() if index in tok.control), "")
    words = ("Hello", " What is 1 + 1?\n", "\n\nline\n\n", f"a {control} b", "{{ 7 * 7 }} <b> & 'é' 🙂", "1")
    found: list[Messages] = []
    for start in ([], [{"role": "system", "content": "Be brief."}]):
        for count in (1, 3, 5):
            for shift in range(len(words)):
                roles = ("user", "assistant") * 3
                turns = [
                    {"role": role, "content": words[(shift + n) % len(words)]}
                    for n, role in enumerate(roles[:count])
                ]
                found.append([*start, *turns])
    return found


def _refused(why: str) -> InputError:
    return InputError(
        f"the page cannot write this model's chat template: {why}",
        fix="chat with it by `smol chat` or `smol serve`",
    )
