"""Writing the folder that `transformers` loads: weights, configs, tokenizer, chat template, model card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from smolforge.model.config import ModelConfig, check_vocabulary
from smolforge.model.public_config import FORMATS, hf_config
from smolforge.model.transformer import Llama
from smolforge.model.weights import StoredType, save_model
from smolforge.text.tokenizer import Tok, save_settings


def write_model(folder: Path, model: Llama, tok: Tok, *, stored: StoredType, name: str) -> None:
    """Weights, config and model card beside what `write_tokenizer` wrote; the same model gives the same bytes."""
    save_model(folder, model, stored=stored, bos=tok.bos_id, eos=tok.eos_id, pad=tok.pad_id)
    (folder / "README.md").write_text(model_card(model.config, stored, name), encoding="utf-8")


def write_tokenizer(folder: Path, shape: ModelConfig, tok: Tok, tokenizer: Path) -> None:
    """What `transformers` needs to read and write text with the model, and where its answers end.

    Tokenizer, roles and chat template are the model's own, wherever it came from; the same ones give the same bytes.
    """
    check_vocabulary(shape.vocab_size, tok.vocab_size)
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "generation_config.json", generation_config(tok))
    plain = hf_config(shape, bos=tok.bos_id, eos=tok.eos_id, pad=tok.pad_id)
    _write_json(folder / "config.json", plain)  # AutoTokenizer chooses its class by it
    shutil.copyfile(tokenizer / "tokenizer.json", folder / "tokenizer.json")
    save_settings(folder, tok.roles, tok.template_source, positions=shape.max_position_embeddings)


def generation_config(tok: Tok) -> dict[str, Any]:
    """All public ends stop an answer: the end of a turn and the end of a text among them."""
    ends = tok.roles.public_ends(tok.specials)
    return {
        "bos_token_id": tok.bos_id,
        "eos_token_id": [tok.specials[end] for end in ends],
        "pad_token_id": tok.pad_id,
    }


def model_card(shape: ModelConfig, stored: str, name: str) -> str:
    """What the folder holds and how to use it."""
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [smolforge, {shape.family}, {stored}]
---

# {name}

A {FORMATS[shape.family].architecture.removesuffix("ForCausalLM")} decoder, made with smolforge.

| | |
|---|---|
| parameters | {shape.parameters:,} |
| layers, width | {shape.num_hidden_layers}, {shape.hidden_size} |
| heads (query, key/value), head width | {shape.num_attention_heads}, {shape.num_key_value_heads}, {shape.head_dim} |
| vocabulary | {shape.vocab_size:,} |
| longest sequence | {shape.max_position_embeddings:,} tokens |
| stored as | {stored} |

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
model = AutoModelForCausalLM.from_pretrained("path/to/this/folder")
chat = [{{"role": "user", "content": "What is the capital of France?"}}]
prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
answer = model.generate(**prompt, max_new_tokens=64, do_sample=False)
print(tokenizer.decode(answer[0][prompt["input_ids"].shape[1]:], skip_special_tokens=True))
```

Text is rendered before it is tokenized here, so a user who writes `<|im_end|>` can end a turn. Where
users are strangers, tokenize piece by piece as smolforge does.

A model of this size is a toy for study: its facts are unreliable and its answers need checking.
"""


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
