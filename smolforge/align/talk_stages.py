"""Conversations with a finished model, for people to read."""

from __future__ import annotations

from typing import Any

from smolforge.artifacts import Checkpoint, Conversations, Facts, Tokenizer
from smolforge.config import config
from smolforge.stage import Job, stage
from smolforge.train.config import Compute

SCRIPTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("Hello! How are you today?", "What is 12 plus 5?", "Thank you. Describe rain in two sentences.")),
    ("You are a patient teacher. Answer in one short sentence.", ("What is a river?", "And what is a lake?")),
    ("", ("Make this more polite: Give me the book!", "Now write it in capital letters.")),
)
"""What people say: `(system prompt or nothing, the user's messages)`."""


@config
class ConverseConfig:
    """How long an answer may be; longer ones end in […]."""

    answer_tokens: int = 96
    compute: Compute = "auto"


@stage(makes=Conversations, version=1)
def converse(cfg: ConverseConfig, job: Job, *, model: Checkpoint, tokenizer: Tokenizer) -> Facts:
    """Hold a few conversations of several turns with a model, one under a system prompt, answered greedily.

    Writes  conversations.jsonl ({"messages"}); none for a model without a chat template
    Facts   conversations, turns
    """
    import torch

    from smolforge.data.read.documents import write_jsonl
    from smolforge.language_model import Sampling
    from smolforge.model.generate import TorchLanguageModel
    from smolforge.model.weights import load_model
    from smolforge.text.tokenizer import load_tokenizer
    from smolforge.train.precision import compute_dtype

    torch.set_num_threads(job.threads)
    tok = load_tokenizer(tokenizer.path)
    network = load_model(model.path, compute=compute_dtype(cfg.compute, job.device)).to(job.device)
    reader, how = TorchLanguageModel(network), Sampling(max_new_tokens=cfg.answer_tokens)
    talks: list[list[dict[str, Any]]] = []
    for system, asked in SCRIPTS if tok.can_chat else ():
        messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
        for text in asked:
            asking = {"role": "user", "content": text}
            prompt = tok.encode_chat([*messages, asking], None, True)[0]
            if len(prompt) + cfg.answer_tokens > network.config.max_position_embeddings:
                job.log.say(
                    f"  a conversation ends early: the model reads no more than {network.config.max_position_embeddings} tokens"
                )
                break
            (ids,) = reader.generate([prompt], how, tok.end_ids)
            said = tok.decode(ids, skip_special=True).strip() + " […]" * (len(ids) >= cfg.answer_tokens)
            messages += [asking, {"role": "assistant", "content": said}]
        talks.append(messages)
    talks = [messages for messages in talks if len(messages) > 1]
    write_jsonl(job.out / "conversations.jsonl", [{"messages": messages} for messages in talks])
    turns = sum(message["role"] == "assistant" for messages in talks for message in messages)
    return {"conversations": len(talks), "turns": turns}
