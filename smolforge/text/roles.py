"""Which tokens begin and end things: read from a model's settings, written into them again.

A model ends its turn with one token and a document with another; it may want one before every text. Guessing any
of these makes a model that never stops, or answers as if nothing had been said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TEXT_ENDS = ("<|endoftext|>", "<|end_of_text|>")
"""What closes a document in pre-training, where the vocabulary has it; otherwise the end token does."""
TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|im_start|>")
"""What also ends an answer where the vocabulary has it: a model that begins another turn has ended its own."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Token strings by what they do; None where the model has none.

    bos, eos, pad, unk  as the public settings name them
    add_bos             whether `bos` stands before every text
    ends                what else its makers let an answer end at
    """

    bos: str | None
    eos: str
    pad: str | None = None
    unk: str | None = None
    add_bos: bool = False
    ends: tuple[str, ...] = ()

    def text_end(self, known: Collection[str]) -> str:
        """What closes a document."""
        return next((token for token in TEXT_ENDS if token in known), self.eos)

    def public_ends(self, known: Collection[str]) -> list[str]:
        """What the model's makers, or we, say that an answer ends at."""
        found = [self.eos, *self.ends, self.text_end(known)]
        return [token for token in dict.fromkeys(found) if token in known]

    def answer_ends(self, known: Collection[str]) -> list[str]:
        """Everything an answer ends at, the public end token first."""
        return list(dict.fromkeys([*self.public_ends(known), *(t for t in TURN_ENDS if t in known)]))


def from_settings(
    settings: Mapping[str, Any],
    generation: Mapping[str, Any],
    tokens: Sequence[str],
    controls: Collection[str],
) -> Roles | None:
    """Roles from `tokenizer_config.json` and `generation_config.json`; None where no end token can be told.

    tokens    every token by its id
    controls  those that are special; roles are looked for among them alone
    """
    named = {name: _token(settings.get(f"{name}_token"), controls) for name in ("bos", "eos", "pad", "unk")}
    listed = generation.get("eos_token_id")
    ids = listed if isinstance(listed, list) else [listed]
    ends = [tokens[i] for i in ids if isinstance(i, int) and 0 <= i < len(tokens) and tokens[i] in controls]
    likely = [*ends, *(token for token in (*TURN_ENDS, *TEXT_ENDS) if token in controls)]
    eos = named["eos"] or next(iter(likely), None)
    if eos is None:
        return None
    return Roles(
        bos=named["bos"],
        eos=eos,
        pad=named["pad"],
        unk=named["unk"],
        add_bos=bool(settings.get("add_bos_token")) and named["bos"] is not None,
        ends=tuple(dict.fromkeys(ends)),
    )


def _token(value: Any, controls: Collection[str]) -> str | None:
    """A token as the settings write it: its text, or a table that holds it."""
    text = value.get("content") if isinstance(value, Mapping) else value
    return text if isinstance(text, str) and text in controls else None
