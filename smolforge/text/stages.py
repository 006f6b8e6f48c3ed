"""The text stage: corpora in, tokenizer out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field

from smolforge.artifacts import ChatData, Corpus, Facts, Sizing, Tokenizer
from smolforge.config import config
from smolforge.errors import ConfigError, InputError
from smolforge.stage import Job, stage


@config
class TokenizerConfig:
    """What the vocabulary is learned from, and how large it is.

    vocabulary    entries in all, special tokens and bytes included; a `Sizing` input overrides it
    sample_bytes  text to learn from; more changes little. Chosen, untested
    shares        share of the sample per domain; domains that are not named share the rest equally
    chat_share    share of conversations, where chat data is given
    """

    vocabulary: int = 4096
    sample_bytes: int = 12_000_000
    shares: Mapping[str, float] = field(default_factory=dict)
    chat_share: float = 0.15

    def __post_init__(self) -> None:
        if self.sample_bytes < 1:
            raise ConfigError(f"`sample_bytes` is {self.sample_bytes}", fix="give at least a few thousand")
        if any(share < 0 for share in self.shares.values()) or sum(self.shares.values()) > 1 + 1e-9:
            raise ConfigError(
                "`shares` must not be negative nor add up to more than 1", fix=f"now {dict(self.shares)}"
            )
        if not 0 <= self.chat_share < 1:
            raise ConfigError(f"`chat_share` is {self.chat_share}", fix="use 0 up to, not including, 1")


@stage(makes=Tokenizer, version=2)
def train_tokenizer(
    cfg: TokenizerConfig,
    job: Job,
    *,
    corpora: Mapping[str, Corpus],
    chat: ChatData | None = None,
    sizing: Sizing | None = None,
) -> Facts:
    """Learn a byte-level BPE vocabulary from a sample of every domain.

    Writes  tokenizer.json, tokenizer_config.json, special_tokens_map.json, chat_template.jinja
    Facts   vocabulary, bytes_per_token (over the sample), sample_bytes
    Raises  InputError where the corpora hold no text
    """
    from smolforge.text import tokenizer as engine

    vocabulary = _vocabulary(cfg, sizing)
    texts = []
    for text in _sample(cfg, corpora, chat):
        texts.append(text)
        job.log.progress(len(texts), None, "documents", "reading")
    if not any(texts):
        raise InputError("no text to learn a vocabulary from", where=", ".join(corpora), fix="add documents")
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    job.log.progress(size, size, "bytes", f"learning {vocabulary} tokens")
    engine.save(engine.train([*texts, *_scaffold(size)], vocabulary), job.out)
    tok = engine.load_tokenizer(job.out)
    return {
        "vocabulary": tok.vocab_size,
        "bytes_per_token": round(tok.bytes_per_token(texts), 4),
        "sample_bytes": size,
    }


def _vocabulary(cfg: TokenizerConfig, sizing: Sizing | None) -> int:
    if sizing is None:
        return cfg.vocabulary
    file = sizing.path / "sizing.json"
    return int(json.loads(file.read_text(encoding="utf-8"))["vocabulary"])


def _sample(cfg: TokenizerConfig, corpora: Mapping[str, Corpus], chat: ChatData | None) -> Iterator[str]:
    from smolforge.text import sample

    available = {name: _bytes(corpora[name]) for name in sorted(corpora)}
    chat_bytes = (chat.path / "conversations.jsonl").stat().st_size if chat else 0
    for_chat = min(int(cfg.sample_bytes * cfg.chat_share), chat_bytes)
    wanted = sample.divide(cfg.sample_bytes - for_chat, _shares(cfg, available), available)
    for name in sorted(corpora):
        yield from sample.spread(sample.documents(corpora[name].path), wanted[name], available[name])
    if chat:
        yield from sample.spread(sample.conversations(chat.path), for_chat, chat_bytes)


def _scaffold(size: int) -> Iterator[str]:
    from smolforge.text import sample

    return sample.scaffold(size)


def _shares(cfg: TokenizerConfig, available: Mapping[str, int]) -> dict[str, float]:
    for name in cfg.shares:
        if name not in available:
            raise ConfigError(f"`shares.{name}` names no corpus", fix=f"corpora here: {', '.join(available)}")
    others = [name for name in available if name not in cfg.shares]
    rest = max(0.0, 1 - sum(cfg.shares.values()))
    return {name: cfg.shares.get(name, rest / max(len(others), 1)) for name in available}


def _bytes(corpus: Corpus) -> int:
    """Text bytes of a corpus, from its facts; counted where it has none."""
    from smolforge.text import sample

    if "bytes" in corpus.facts:
        return int(corpus.facts["bytes"])
    return sum(len(text.encode("utf-8", "replace")) for _, text in sample.documents(corpus.path))
