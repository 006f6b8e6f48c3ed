"""Small models with known answers, for tests of the server, the page and the terminal.

`Rules` is a language model in earnest: ids in, ids out, by rules instead of weights.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence

from smolforge.language_model import Sampling
from smolforge.serve.talk import Talker
from smolforge.text.tokenizer import SPECIAL_TOKENS, Tok, train

CALL = '<tool_call>{"name": "weather", "arguments": {"city": "Zürich"}}</tool_call>'
CALCULATE = (
    '<tool_call>{"name": "calculate", "arguments": {"first": 12, "sign": "*", "second": 7}}</tool_call>'
)
HOSTILE = '<img src=x onerror="document.title=\'hacked\'"><script>document.title="hacked"</script>\x1b]0;owned\x07 end'


def tiny_tokenizer(folder=None) -> Tok:
    from smolforge.text import tokenizer

    trained = train(["the cat sat on the mat and the dog ran"] * 4, len(SPECIAL_TOKENS) + 300)
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as made:
        place = Path(folder or made)
        tokenizer.save(trained, place)
        return tokenizer.load_tokenizer(place)


class Rules:
    """Answers by the last user's words: `repeat X` says X; `count N` counts slowly; `tool` calls one."""

    def __init__(self, tok: Tok, token_seconds: float = 0.0) -> None:
        self.tok, self.token_seconds = tok, token_seconds
        self.written = 0

    def stream(self, prompt: Sequence[int], how: Sampling, stop: Sequence[int] = ()) -> Iterator[int]:
        text = self.tok.decode(prompt)
        asked = re.findall(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", text, re.DOTALL)
        answer = self._answer(asked[-1] if asked else text, text)
        ids = self.tok.encode(answer, allow_special=True)
        for token in ids[: how.max_new_tokens]:
            time.sleep(self.token_seconds)
            self.written += 1
            yield token

    def _answer(self, asked: str, whole: str) -> str:
        command, _, rest = asked.partition(" ")
        if command == "repeat":
            return rest
        if command == "count":
            return " ".join(map(str, range(1, int(rest) + 1)))
        if command == "tool":
            return f"I look it up. {CALL}"
        if command == "calculate":
            return self._calculate(whole)
        if command == "hostile":
            return HOSTILE
        if command == "prompt":
            return whole.replace("<|", "<").replace("|>", ">")
        if "<tool_response>" in whole and asked.startswith("weather"):
            return "It is sunny."
        return "The cat sat on the mat."

    def _calculate(self, whole: str) -> str:
        """Calls the tool where there is one, and then says what it gave."""
        given = re.findall(r"<tool_response>(.*?)</tool_response>", whole, re.DOTALL)
        if given:
            return f"It gives {given[-1].strip()}."
        return CALCULATE if '"calculate"' in whole else "I have no tool."


def rules_talker(*, context_tokens: int = 4096, token_seconds: float = 0.0, name: str = "cat") -> Talker:
    tok = tiny_tokenizer()
    return Talker(name=name, model=Rules(tok, token_seconds), words=tok, context_tokens=context_tokens)
