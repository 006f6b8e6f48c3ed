"""The door of `data/tokens`: a corpus as token ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from smolforge.artifacts import Corpus, Facts, Tokenizer, TokenShards
from smolforge.config import config
from smolforge.stage import Job, stage
from smolforge.store import Store


@config
class TokenizeConfig:
    """Tokens of a shard. `special`: special-token strings in the text become their ids (chat corpora)."""

    shard_tokens: int = 1 << 24
    special: bool = False


@stage(makes=TokenShards, version=1)
def tokenize(cfg: TokenizeConfig, job: Job, *, corpus: Corpus, tokenizer: Tokenizer) -> Facts:
    """One corpus as token ids, each document closed by the end-of-text token.

    Writes  tokens-*.bin (uint16, or uint32 for a vocabulary over 65,536), index.npz
    Facts   tokens, documents, bytes
    """
    from smolforge.data.read.documents import read_rows
    from smolforge.data.tokens.shards import write_shards
    from smolforge.text.tokenizer import load_tokenizer

    total = int(corpus.facts.get("bytes", 0)) / 3.5  # bytes a token: only for the time left
    return write_shards(
        (row["text"] for row in read_rows(corpus.path, columns=["text"])),
        load_tokenizer(tokenizer.path),
        job.out,
        work=job.work,
        shard_tokens=cfg.shard_tokens,
        allow_special=cfg.special,
        tick=lambda tokens: job.log.progress(tokens, max(total, tokens), "tokens"),
    )


def tokenize_each(
    store: Store, corpora: Mapping[str, Corpus], tokenizer: Tokenizer, special: Collection[str] = ("chat",)
) -> dict[str, TokenShards]:
    """Every corpus as token ids, labelled `shards/NAME`; in those named `special`, special-token strings are ids."""
    return {
        name: store.run(
            tokenize,
            TokenizeConfig(special=name in special),
            label=f"shards/{name}",
            corpus=corpus,
            tokenizer=tokenizer,
        )
        for name, corpus in corpora.items()
    }
