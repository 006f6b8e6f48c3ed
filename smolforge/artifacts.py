"""Every kind of thing smolforge makes, with its files and its facts.

An artifact is inert: a sealed folder, the key of what made it, the digest of its bytes, and a few
facts. Nothing else carries information from one stage to the next. All JSON lines are UTF-8, one
object a line; all paths inside an artifact are relative; no artifact holds a time or a machine's path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Fact = int | float | str
Facts = Mapping[str, Fact]


@dataclass(frozen=True)
class Artifact:
    """A sealed result: `path` is its folder, `digest` the hash of its files."""

    path: Path
    key: str
    digest: str
    facts: Facts = field(default_factory=dict)

    def same_as(self, other: Artifact) -> bool:
        """Whether both hold the same files; never, of what is not built yet."""
        return bool(self.digest) and self.digest == other.digest


class ForeignModel(Artifact):
    """A model as others released it, wherever it lies: a Hugging Face folder or a GGUF file. Never sealed, only read."""


class RawDocs(Artifact):
    """Raw pages and files as they were found.

    documents-*.parquet  id, kind (html | text | markdown | code), url, text, meta (JSON text)
    facts                documents, bytes
    """


class EvalTexts(Artifact):
    """What no model may train on: held-out questions and held-out documents.

    items-<skill>.jsonl   one evals.task.Item a line
    texts-<domain>.jsonl  {"id", "text"}, for bits per byte
    facts                 items, texts
    """


class DecisionHalf(EvalTexts):
    """The held-out items and texts that decisions read; `evals.half_stages.decision_half` alone makes it."""


class ReportHalf(EvalTexts):
    """The other ones, which only a report reads, with every task that is for reports alone."""


class Overlaps(Artifact):
    """Evaluation texts that were met in training data, whether or not the documents were dropped for them.

    overlaps.jsonl  {"source", "document", "task", "item", "share", "quoted", "is_dropped"}
    items.jsonl     {"task", "item"}: those met closely enough to count, each once; scores can be given without them
    facts           items, documents, items_<task>
    """


class QualityModel(Artifact):
    """A small classifier of educational value, 0 to 5.

    model.json, weights.npz   facts: examples, f1
    """


class Corpus(Artifact):
    """Curated documents of one domain, and what curation dropped.

    documents-*.parquet  id, text, url, score
    dropped-*.parquet    id, rule, reason, excerpt
    overlaps.jsonl       {"document", "task", "item", "share", "quoted", "is_dropped"}: evaluation texts that were met
    facts                documents, bytes, dropped, items_met, dropped_<rule>
    """


class Tokenizer(Artifact):
    """Byte-level BPE with chat template, in the files that `transformers` reads.

    tokenizer.json, tokenizer_config.json, special_tokens_map.json, chat_template.jinja
    facts  vocabulary, bytes_per_token
    """


class TokenShards(Artifact):
    """One domain as token ids.

    tokens-*.bin  uint16 (uint32 where the vocabulary needs it), documents end to end
    index.npz     document offsets into each shard
    facts         tokens, documents, bytes
    """


class SkillBits(Artifact):
    """What the gold answers and texts of the decision half cost a model: what decisions about data read.

    skills.json  [evals.task.Score...], in bits per byte
    bits.jsonl   {"skill", "id", "bits", "bytes"} of every item and text, so that two models can be compared in pairs
    facts        spent_tokens (what measuring cost, in tokens trained), <skill>, <skill>_low, <skill>_high
    """


class Affinity(Artifact):
    """Which sources' words every skill speaks.

    affinity.json  {"weights": {skill: {source: weight}}, "all": {source: weight}}; weights add up to 1
    facts          skills, sources
    """


class ChosenMixture(Artifact):
    """The mixture of the next phase, and why.

    mixture.json  {"rule", "weights", "reasons", "refusal", "rejected", "measured", "predicted", "ledger", "planned_tokens",
                  "spent_tokens", …}: `mix.record`
    branch/       where a trial was won: the state that training goes on from, with its optimiser
    facts         share_<domain>, spent_tokens
    """


class Checkpoint(Artifact):
    """A model, and what is needed to train it further.

    config.json, model.safetensors            the names and shapes of the public Llama checkpoint
    optimizer.safetensors, train_state.json   absent after tuning steps
    losses.jsonl                              one line a logged step
    facts                                     parameters, tokens, loss, flops
    """


class Scores(Artifact):
    """A model's scores on every task, with chance level and interval.

    scores.json    [evals.task.Score...]
    samples.jsonl  what was asked, what was answered, how it was judged
    bits.jsonl     bits and bytes of every held-out text
    facts          <skill>, <skill>_low, <skill>_high
    """


class ChatData(Artifact):
    """Conversations for instruction tuning.

    conversations.jsonl  {"id", "skill", "messages", "tools"}
    overlaps.jsonl       evaluation texts that were met, as in `Corpus`
    facts                conversations, turns, items_met
    """


class DocumentFacts(Artifact):
    """What the user's documents say that can be asked, divided so that no conversation gives a held-out question away.

    held-out.jsonl, tuning.jsonl  one data.questions.Fact a line
    facts                         held_out, tuning, facts_<kind>
    """


class SideBySide(Artifact):
    """The same questions, answered by two models.

    conversations.jsonl  {"question", "wanted", "before", "after"}
    facts                conversations, changed
    """


class Conversations(Artifact):
    """Conversations of several turns with one model, to be read.

    conversations.jsonl  {"messages"}
    facts                conversations, turns
    """


class PreferenceData(Artifact):
    """Pairs of answers to one prompt, ranked.

    pairs.jsonl  {"id", "skill", "messages", "chosen", "rejected", "margin"}
    facts        pairs
    """


class Sizing(Artifact):
    """The model and budget chosen for the data and the time there is.

    sizing.json  {"vocabulary", "model", "phase_tokens", "batch_tokens", "reasons"}
    facts        parameters, tokens, minutes
    """


class DeviceModel(Artifact):
    """A model ready to leave: for `transformers` and for llama.cpp, proven equal.

    hf/…, model-*.gguf, parity.json   facts: parity checks passed, bytes by file
    """
