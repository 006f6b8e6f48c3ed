"""What is asked before a decision, read once and asked of as many models as there are branches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from smolforge.errors import InputError
from smolforge.evals import answer_bits
from smolforge.evals.answer_bits import Bits
from smolforge.evals.score import HeldOutText, choose_items, cut_texts, prompt_ids
from smolforge.evals.task import Item, item_from_plain

if TYPE_CHECKING:
    from smolforge.model.transformer import Llama
    from smolforge.text.tokenizer import Tok


@dataclass(frozen=True)
class Asking:
    """The items and texts of a decision half, and how they are asked."""

    tok: Tok
    items: tuple[Item, ...]
    texts: tuple[HeldOutText, ...]
    form: Any
    window_tokens: int
    compute: Any
    device: str
    threads: int

    @staticmethod
    def of(cfg: Any, tokenizer: Path, texts: Path, machine: Any) -> Asking:
        """`cfg` is a `stages.MeasureConfig`."""
        from smolforge.text.tokenizer import load_tokenizer

        items, held = read_half(texts, cfg.items_per_skill, cfg.text_bytes_per_domain)
        return Asking(
            load_tokenizer(tokenizer), tuple(items), tuple(held), cfg.form, cfg.window_tokens, cfg.compute,
            machine.device, machine.threads,
        )  # fmt: skip

    def ask_folder(self, model: Path) -> list[Bits]:
        """The bits of everything that is asked, for the model of a checkpoint."""
        from smolforge.model.weights import load_model
        from smolforge.train.precision import compute_dtype

        network = load_model(model, compute=compute_dtype(self.compute, self.device))
        return self.ask(network.to(self.device))

    def ask(self, model: Llama) -> list[Bits]:
        """The same for a model in memory."""
        import torch

        from smolforge.model.generate import TorchLanguageModel

        torch.set_num_threads(self.threads)
        reader = TorchLanguageModel(model)
        window = min(self.window_tokens, model.config.max_position_embeddings)
        return [
            *answer_bits.answer_bits(reader, self.tok, self.items, self.form),
            *answer_bits.held_out_bits(reader, self.tok, self.texts, window),
        ]


def read_half(folder: Path, items_per_skill: int, text_bytes: int) -> tuple[list[Item], list[HeldOutText]]:
    """Items of every skill, the same ones every time, and the beginnings of the texts of every domain."""
    items: list[Item] = []
    for file in sorted(folder.glob("items-*.jsonl")):
        found = [item_from_plain(row, f"{file.name}, line {n}") for n, row in enumerate(_rows(file), start=1)]
        items += choose_items(found, items_per_skill, 0)
    texts: list[HeldOutText] = []
    for file in sorted(folder.glob("texts-*.jsonl")):
        domain = file.stem.removeprefix("texts-")
        texts += cut_texts(
            [HeldOutText(str(r["id"]), domain, str(r["text"])) for r in _rows(file)], text_bytes
        )
    return items, texts


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield json.loads(line)
            except ValueError:
                raise InputError("a line is not JSON", where=f"{file.name}, line {number}") from None


def skill_ids(cfg: Any, tok: Tok, folder: Path) -> dict[str, list[npt.NDArray[np.int64]]]:
    """Token ids of every skill's questions with their gold answers, and of every domain's texts."""
    items, texts = read_half(folder, cfg.items_per_skill, cfg.text_bytes_per_domain)
    spoken: dict[str, list[npt.NDArray[np.int64]]] = {}
    for item in items:
        gold = answer_bits.gold_answer(item, cfg.form)
        if gold:
            prompt, _ = prompt_ids(tok, item, cfg.form)
            ids = [*prompt, *tok.encode(gold, allow_special=True)]
            spoken.setdefault(item.skill, []).append(np.array(ids, dtype=np.int64))
    for text in texts:
        ids = tok.encode(text.text, allow_special=text.domain == "chat")
        spoken.setdefault(f"bits_{text.domain}", []).append(np.array(ids, dtype=np.int64))
    return spoken


def source_ids(folder: Path, most_tokens: int) -> npt.NDArray[np.int64]:
    """The first token ids of a source's shards."""
    from smolforge.data.tokens.shards import ShardReader, read_shards

    reader, parts, left = ShardReader(), [np.zeros(0, np.int64)], most_tokens
    for shard in read_shards(folder):
        take = min(left, int(shard.offsets[-1]))
        parts.append(reader.read(shard, 0, take).astype(np.int64))
        left -= take
        if left <= 0:
            break
    return np.concatenate(parts)
