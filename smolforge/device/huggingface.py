"""Writing the folder that `transformers` loads: weights, configs, tokenizer, chat template, model card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from smolforge.errors import InputError
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import StoredType, save_model
from smolforge.text.tokenizer import Tok, save_settings


def write_folder(
    folder: Path, model: Llama, tok: Tok, tokenizer: Path, *, stored: StoredType, name: str
) -> None:
    """The whole Hugging Face folder; the same model and tokenizer give the same bytes.

    The chat template is smolforge's, also where the tokenizer came from elsewhere with another one.
    """
    if model.config.vocab_size != tok.vocab_size:
        raise InputError(
            f"the model knows {model.config.vocab_size} tokens, the tokenizer {tok.vocab_size}",
            where=str(tokenizer),
            fix="export a model with the tokenizer it was trained with",
        )
    save_model(folder, model, stored=stored, bos=tok.eot_id, eos=tok.im_end_id, pad=tok.eot_id)
    _write_json(folder / "generation_config.json", generation_config(tok))
    shutil.copyfile(tokenizer / "tokenizer.json", folder / "tokenizer.json")
    save_settings(folder)
    (folder / "README.md").write_text(model_card(model.config, stored, name), encoding="utf-8")


def generation_config(tok: Tok) -> dict[str, Any]:
    """Both ends stop an answer: the end of a turn and the end of a text."""
    return {
        "bos_token_id": tok.eot_id,
        "eos_token_id": [tok.im_end_id, tok.eot_id],
        "pad_token_id": tok.eot_id,
    }


def model_card(shape: ModelConfig, stored: str, name: str) -> str:
    """What the folder holds and how to use it."""
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [smolforge, llama, {stored}]
---

# {name}

A Llama decoder with tied embeddings, made with smolforge.

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
