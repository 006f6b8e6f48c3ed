"""Stages of rehearsal: what the model would have said anyway, and conversations as token ids for replay."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from smolforge.artifacts import ChatData, Checkpoint, Corpus, EvalTexts, Facts, Tokenizer, TokenShards
from smolforge.config import config
from smolforge.errors import ConfigError
from smolforge.stage import Job, stage
from smolforge.train.config import Compute

if TYPE_CHECKING:
    from smolforge.adapt.rehearsal import Rehearsal
    from smolforge.model.generate import TorchLanguageModel
    from smolforge.text.tokenizer import Tok


@config
class RehearseConfig:
    """What is asked of the model itself, as replay against forgetting.

    count        conversations or texts asked for; some are not sound and are left out
    minutes      how long that may take; where it binds, how much is asked for depends on the machine. 0: as long as it takes
    temperature  how freely questions and texts are said
    """

    count: int
    minutes: float = 0.0
    temperature: float = 1.0
    compute: Compute = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1 or self.temperature <= 0 or self.minutes < 0:
            raise ConfigError("`count` must be at least 1, `temperature` above 0 and `minutes` not negative")


@stage(makes=ChatData, version=4)
def rehearse_chats(
    cfg: RehearseConfig,
    job: Job,
    *,
    model: Checkpoint,
    tokenizer: Tokenizer,
    held_out: EvalTexts | None = None,
) -> Facts:
    """Conversations of the model with itself: it writes a user's question, then answers it.

    A model without a chat template has none; what repeats evaluation items is left out.

    Writes  conversations.jsonl, overlaps.jsonl
    Facts   conversations, asked, contaminated, items_met
    """
    from smolforge.adapt import rehearsal
    from smolforge.data.clean.chats import write_chats

    reader, tok = reader_of(cfg.compute, job, model, tokenizer)
    asked = 0

    def tick(done: int) -> None:
        nonlocal asked
        asked = done
        job.log.progress(done, cfg.count, "conversations", "rehearsing")

    rows = rehearsal.chats(reader, tok, cfg.count, _how(cfg), tick) if tok.can_chat else iter(())
    facts = write_chats(job.out, rows, held_out.path if held_out else None)
    if tok.can_chat and not facts["conversations"]:
        job.log.say(
            "  the model said no sound conversation by itself, so none is replayed against forgetting"
        )
    if tok.can_chat:
        _say_where_time_ended(job, asked, cfg.count)
    return {**facts, "asked": asked}


@stage(makes=Corpus, version=4)
def rehearse_texts(
    cfg: RehearseConfig,
    job: Job,
    *,
    model: Checkpoint,
    tokenizer: Tokenizer,
    held_out: EvalTexts | None = None,
) -> Facts:
    """Texts that the model writes after nothing.

    Writes  documents-*.parquet, overlaps.jsonl
    Facts   documents, bytes, asked, contaminated, items_met
    """
    from smolforge.adapt import rehearsal
    from smolforge.data.clean import curate
    from smolforge.data.read.documents import CORPUS_SCHEMA, ParquetWriter

    reader, tok = reader_of(cfg.compute, job, model, tokenizer)
    guard, asked = curate.guard_of(held_out.path if held_out else None), 0

    def tick(done: int) -> None:
        nonlocal asked
        asked = done
        job.log.progress(done, cfg.count, "texts", "rehearsing")

    size_bytes = contaminated = 0
    with ParquetWriter(job.out, "documents", CORPUS_SCHEMA) as out:
        for id, text in rehearsal.texts(reader, tok, cfg.count, _how(cfg), tick):
            if not guard.check(id, text).keep:
                contaminated += 1
                continue
            out.add({"id": id, "text": text, "url": "", "score": 0.0})
            size_bytes += len(text.encode("utf-8", "replace"))
    _say_where_time_ended(job, asked, cfg.count)
    facts = {"documents": out.rows, "bytes": size_bytes, "asked": asked, "contaminated": contaminated}
    return facts | guard.write(job.out)


def _how(cfg: RehearseConfig) -> Rehearsal:
    from smolforge.adapt.rehearsal import Rehearsal

    seconds = cfg.minutes * 60 if cfg.minutes else math.inf
    return Rehearsal(temperature=cfg.temperature, seed=cfg.seed, seconds=seconds)


def _say_where_time_ended(job: Job, asked: int, count: int) -> None:
    if asked < count:
        job.log.say(f"  asked {asked} times instead of {count}: the time for it was over")


def reader_of(
    compute: Compute, job: Job, model: Checkpoint, tokenizer: Tokenizer
) -> tuple[TorchLanguageModel, Tok]:
    """A checkpoint ready to write, and its tokenizer."""
    import torch

    from smolforge.model.generate import TorchLanguageModel
    from smolforge.model.weights import load_model
    from smolforge.text.tokenizer import load_tokenizer
    from smolforge.train.precision import compute_dtype

    torch.set_num_threads(job.threads)
    network = load_model(model.path, compute=compute_dtype(compute, job.device)).to(job.device)
    return TorchLanguageModel(network), load_tokenizer(tokenizer.path)


@config
class TokenizeChatsConfig:
    """Conversations as token ids, in the model's own chat template; longer ones than `most_tokens` are left out."""

    most_tokens: int = 2_048


@stage(makes=TokenShards, version=2)
def tokenize_chats(cfg: TokenizeChatsConfig, job: Job, *, data: ChatData, tokenizer: Tokenizer) -> Facts:
    """Conversations as documents of token ids, for replay beside texts; none for a model without a chat template.

    Writes  tokens-*.bin, index.npz
    Facts   tokens, documents, bytes, too_long
    """
    from smolforge.align.conversations import read_conversations
    from smolforge.data.tokens.shards import write_ids
    from smolforge.text.tokenizer import load_tokenizer

    tok, too_long = load_tokenizer(tokenizer.path), 0

    def documents() -> Any:
        nonlocal too_long
        if not tok.can_chat:
            job.log.say("  this model has no chat template, so it is not tuned on conversations")
            return
        for conversation in read_conversations(data.path) if data.facts.get("conversations", 1) else ():
            ids, _ = tok.encode_chat(conversation.messages, list(conversation.tools) or None)
            if len(ids) > cfg.most_tokens:
                too_long += 1
                continue
            said = sum(
                len(str(m.get("content") or "").encode("utf-8", "replace")) for m in conversation.messages
            )
            yield [*ids, tok.eot_id], said

    facts = write_ids(documents(), tok.vocab_size, job.out)
    return {**facts, "too_long": too_long}
