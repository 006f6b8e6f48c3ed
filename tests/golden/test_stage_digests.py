"""A stage whose output changes must raise its version: fixed tiny inputs, recorded digests.

When this fails, either the change was not meant, or the stage's `version` has to go up by one; then record the new
digests with `python tests/golden/test_stage_digests.py`. Digests hold for the pinned libraries.
"""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

from smolforge.data.clean.stages import (
    ChatCorpusConfig,
    CurateConfig,
    HoldOutConfig,
    chat_corpus,
    curate,
    hold_out,
)
from smolforge.data.tokens.stages import TokenizeConfig, tokenize
from smolforge.devices import Machine
from smolforge.log import Log
from smolforge.store import Store, read_record
from smolforge.text.stages import TokenizerConfig, train_tokenizer
from smolforge.written.stages import (
    ConversationsConfig,
    SyntheticConfig,
    make_conversations,
    synthetic_documents,
)

RECORDED = Path(__file__).with_name("stage_digests.json")
DOMAINS = ("textbooks", "stories", "mathematics", "recitation")


def digests(lab: Path) -> dict[str, str]:
    """`stage@version/label` → digest, for a miniature of the quick start's data side."""
    store = Store(lab, "golden", machine=Machine(threads=1), log=Log(None, show=io.StringIO()))
    raw = {
        domain: store.run(
            synthetic_documents, SyntheticConfig(domain=domain, bytes=20_000), label=f"raw/{domain}"
        )
        for domain in DOMAINS
    }
    chats = store.run(make_conversations, ConversationsConfig(count=60), label="chats")
    held = store.run(hold_out, HoldOutConfig(items=5), label="held-out", sources=raw, chats=chats)
    corpora = {
        domain: store.run(
            curate,
            CurateConfig(domain=domain, languages=()),
            label=f"corpus/{domain}",
            raw=raw[domain],
            held_out=held,
        )
        for domain in DOMAINS
    }
    corpora["chat"] = store.run(chat_corpus, ChatCorpusConfig(), label="corpus/chat", data=chats)
    vocabulary = TokenizerConfig(vocabulary=400, sample_bytes=60_000)
    tokenizer = store.run(train_tokenizer, vocabulary, label="tokenizer", corpora=corpora)
    for domain, corpus in corpora.items():
        as_ids = TokenizeConfig(special=domain == "chat")
        store.run(tokenize, as_ids, label=f"shards/{domain}", corpus=corpus, tokenizer=tokenizer)
    found = {}
    for label, one in store.labels.items():
        record = read_record(lab / "artifacts" / one["folder"])
        assert record is not None
        found[f"{record['stage']}@{record['version']}/{label}"] = one["digest"][:16]
    return found


def test_outputs_change_only_with_their_versions(tmp_path: Path) -> None:
    recorded = json.loads(RECORDED.read_text())
    found = digests(tmp_path / "lab")
    assert set(found) == set(recorded)
    assert [name for name in found if found[name] != recorded[name]] == []


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        RECORDED.write_text(json.dumps(digests(Path(folder) / "lab"), indent=1) + "\n")
