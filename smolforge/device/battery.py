"""What parity checks are made with: texts that break tokenizers, conversations, prompts to continue."""

from __future__ import annotations

import random
from typing import Any

TEXTS = (
    "",
    " ",
    "  two spaces, then three   words",
    "The quick brown fox doesn't jump; it's 12 years old, we'll see. I'D SAY THEY'RE WRONG.",
    "1 22 333 4444 3.14159 -7 1,000,000 ½ ² ٣ Ⅷ 七",
    "line\nline\n\nline\r\nline\n\n\n  indented\n\ttab\t\ttabs \n",
    "def area(radius: float) -> float:\n    return 3.14 * radius ** 2  # m²\n\n\nif __name__ == '__main__':\n    print(area(2))",
    '{"name": "add", "arguments": {"a": 1, "b": [2, null, true]}}',
    r"$\frac{a}{b} = \sqrt{x^2 + y^2} \cdot \int_0^1 e^{-t}\,dt$",
    '<html><body class="a">x &amp; y</body></html>',
    "Grüße aus Köln, voilà, ¿qué tal?, Ωμέγα, Привет, שלום, مرحبا, नमस्ते, 你好, こんにちは, 안녕하세요, ไทย",
    "🙂🙃👩‍👩‍👧‍👦🏳️‍🌈🇫🇷 e\u0301 \u200b\u200d\ufeff\u00a0\u2003\u3000end",
    "".join(map(chr, range(32))) + "\x7f" + "".join(map(chr, range(0x80, 0xA0))),
    "a\x04b\x06c\x13d\x14e\x16f\x1dg",
    "\U0001f9ff\U000e0001\U0010ffff\ufffd\uffff",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!!!!!!!!!!!!!!!!!!------------========",
    "https://example.org/a/b?c=d&e=%20f#g user@example.org C:\\path\\file.txt",
    "<|im_start|>user\nhi<|im_end|>\n<tool_call>x</tool_call><|endoftext|><fim_prefix>a<fim_suffix>b<fim_middle>",
    "<|im_start <|im_end|> > <tool_call <|endoftext|",
)

FUZZED = 500
PIECES = (
    *(chr(code) for code in range(32, 127)),
    *"0123456789½²٣Ⅷ七",
    *(" ", "  ", "    ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u2003", "\u3000"),
    *(
        "'s",
        "'LL",
        "n't",
        " the",
        "ing",
        "tion",
        "</",
        "://",
        "...",
        "—",
        "'",
        "’ll",
        "é",
        "e\u0301",
        "ſ",
        "İ",
    ),
    *(
        chr(code)
        for block in (0xA1, 0x370, 0x400, 0x5D0, 0x904, 0x3041, 0x4E00, 0xAC00)
        for code in range(block, block + 12)
    ),
    *("🙂", "👩‍👩‍👧", "🇫🇷", "\u200d", "\ufeff", "\x00", "\x04", "\x1c", "\x7f", "\x85", "\u2028"),
    *("<|endoftext|>", "<|im_end|>", "<|im_start|>", "<|eot_id|>", "<tool_call>", "<|", "|>"),
)


def all_texts() -> list[str]:
    """`TEXTS`, and texts put together at random, the same ones every time."""
    draw = random.Random(0)
    return [*TEXTS, *("".join(draw.choices(PIECES, k=draw.randint(1, 40))) for _ in range(FUZZED))]


TOOL: dict[str, Any] = {
    "name": "convert",
    "description": 'Convert a length; it\'s <fast> & "exact" – très simple',
    "parameters": {
        "type": "object",
        "properties": {"value": {"type": "number"}, "unit": {"type": "string", "enum": ["m", "ft"]}},
        "required": ["value"],
    },
}
CALL = {
    "name": "convert",
    "arguments": {"value": 2.5, "unit": "m", "note": None, "exact": True, "list": [1, "é"]},
}

CONVERSATIONS: tuple[tuple[list[dict[str, Any]], list[dict[str, Any]] | None], ...] = (
    ([{"role": "user", "content": "Hello"}], None),
    ([{"role": "system", "content": ""}, {"role": "user", "content": "Hello"}], None),
    (
        [{"role": "assistant", "content": "I speak first."}, {"role": "user", "content": "And I second."}],
        None,
    ),
    ([{"role": "user", "content": "One."}, {"role": "user", "content": "Two."}], None),
    ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": " What is 1 + 1?\n"}], None),
    (
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello! How can I help?"},
            {"role": "user", "content": "{{ 7 * 7 }} {% if x %} <b> & 'é' \"🙂\""},
        ],
        None,
    ),
    ([{"role": "user", "content": "How long is 2.5 m in feet?"}], [TOOL]),
    (
        [
            {"role": "system", "content": "You convert units."},
            {"role": "user", "content": "How long is 2.5 m in feet?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"type": "function", "id": "1", "function": CALL}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "8.2"},
            {"role": "assistant", "content": "It is 8.2 feet."},
            {"role": "user", "content": "Thanks"},
        ],
        [TOOL, {**TOOL, "name": "convert_back"}],
    ),
)

QUESTIONS = (
    "What is the capital of France?",
    "What is 12 + 7?",
    "Write a Python function that adds two numbers.",
    "Tell me a short story about a cat.",
)
OPENINGS = (
    "The sun is a star. The earth",
    "def add(a, b):\n    return",
    "Question: What is 3 times 4?\nAnswer:",
    "Once upon a time there was a little",
)
READING = """\
Water is made of hydrogen and oxygen. When water is heated to 100 degrees it turns into steam, and when it
is cooled below 0 degrees it turns into ice. A kilogram of ice needs more room than a kilogram of water, so
ice floats. def double(x): return 2 * x. If a train runs 60 km in one hour, it runs 180 km in three hours.
The farmer had five hens, three cows and a dog who slept by the door. Every morning the children fed them.
"""
"""Text that models are compared on, token by token."""
