"""Small shapes of every family that is loaded, with everything that tells one from another switched on, and tokenizers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from smolforge.model.config import ModelConfig, RopeScaling
from smolforge.text.splits import GPT2, LLAMA3, QWEN2, SMOLLM

PLAIN = ModelConfig(
    vocab_size=259,
    hidden_size=96,
    intermediate_size=160,
    num_hidden_layers=3,
    num_attention_heads=6,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=96,
)
STRETCHED = RopeScaling(factor=8.0, original_max_position_embeddings=32)
"""Pairs on both sides of the passage and within it, at a head of 32 and a base of 500,000."""

FAMILIES = {
    "llama": PLAIN,
    "llama3": replace(PLAIN, rope_theta=500_000.0, rope_scaling=STRETCHED),
    "llama3-untied": replace(PLAIN, tie_word_embeddings=False, rope_theta=500_000.0, rope_scaling=STRETCHED),
    "llama-biased": replace(PLAIN, attention_bias=True, mlp_bias=True),
    "qwen2": replace(PLAIN, hidden_size=192, family="qwen2", rope_theta=1_000_000.0, rms_norm_eps=1e-6),
    "qwen2-untied": replace(PLAIN, hidden_size=192, family="qwen2", tie_word_embeddings=False),
    "qwen3": replace(PLAIN, family="qwen3", rope_theta=1_000_000.0, rms_norm_eps=1e-6),
    "smollm3": replace(PLAIN, family="smollm3", num_hidden_layers=5, no_rope_every=4, rope_theta=5_000_000.0),
}


# -- tokenizers in the manner of each family, trained here, with settings and chat templates of our own ---------

SAID = (
    "The cat sat on the mat, didn't it? It's 1, 22, 333 or 4444 o'clock; we'll see, I'D SAY.\n"
    "def add(a, b):\n    return a + b  # 12345\n\n\nGrüße aus Köln, Привет мир, 你好世界, こんにちは, שלום, नमस्ते é\u0301 🙂\n"
) * 12

PLAIN_TURNS = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""A default system turn, no word of tools, no care for fields that are missing: as many are written."""
HEADED_TURNS = (
    "{{- bos_token }}{%- if messages[0].role == 'system' %}{%- set said = messages[0].content | trim %}"
    "{%- set rest = messages[1:] %}{%- else %}{%- set said = '' %}{%- set rest = messages %}{%- endif %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\n\nToday: ' + strftime_now('%d %b %Y') + '\n' + said + '<|eot_id|>' }}"
    "{%- for message in rest %}{%- if message.role not in ('user', 'assistant', 'tool') %}"
    "{{- raise_exception('unknown role ' + message.role) }}{%- endif %}"
    "{{- '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' }}"
    "{%- if message.tool_calls %}{%- for call in message.tool_calls %}{{- call.function | tojson }}{%- endfor %}"
    "{%- else %}{% generation %}{{- message.content | trim }}{% endgeneration %}{%- endif %}{{- '<|eot_id|>' }}{%- endfor %}"
    "{%- if tools %}{{- tools | tojson(indent=2) }}{%- endif %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
"""Another frame for turns, the date, an exception, tools and calls, trimmed words."""
THINKING_TURNS = (
    "{%- set ns = namespace(last=messages | length - 1) %}{%- if tools %}{{- '<|im_start|>system\n# Tools\n' }}"
    "{%- for tool in tools %}{{- tool | tojson + '\n' }}{%- endfor %}{{- '<|im_end|>\n' }}{%- endif %}"
    "{%- for message in messages %}{%- set said = message.content if message.content else '' %}"
    "{%- if message.role == 'assistant' and loop.index0 != ns.last and '</think>' in said %}"
    "{%- set said = said.split('</think>')[-1].lstrip('\n') %}{%- endif %}"
    "{{- '<|im_start|>' + message.role + '\n' + said }}"
    "{%- for call in message.tool_calls or [] %}{{- '<tool_call>' + call.function.name + '</tool_call>' }}{%- endfor %}"
    "{{- '<|im_end|>\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
"""Thoughts of earlier turns are left out: what the assistant said is not written the same once it is past."""

CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
LLAMA = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
TOKENIZERS = {
    "smollm": (SMOLLM, CHATML, (), "<|im_start|>", "<|im_end|>", PLAIN_TURNS),
    "llama3": (LLAMA3, LLAMA, (), "<|begin_of_text|>", "<|eot_id|>", HEADED_TURNS),
    "qwen2": (QWEN2, CHATML, ("<tool_call>", "</tool_call>"), None, "<|im_end|>", THINKING_TURNS),
    "gpt2": (GPT2, ("<|endoftext|>",), (), "<|endoftext|>", "<|endoftext|>", None),
}
"""Way of cutting, control tokens, markup tokens, bos, eos, chat template."""
CUT_BY = {
    "llama": "gpt2",
    "llama3": "llama3",
    "llama3-untied": "llama3",
    "llama-biased": "smollm",
    "qwen2": "qwen2",
    "qwen2-untied": "qwen2",
    "qwen3": "qwen2",
    "smollm3": "llama3",
}
"""Which tokenizer each family of models is tried with."""


def write_tokenizer(name: str, folder: Path, vocabulary: int = 420) -> None:
    """A folder as a hub would hold it: what `AutoTokenizer` and `load_tokenizer` read."""
    splits, controls, markup, bos, eos, template = TOKENIZERS[name]
    raw = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
    raw.pre_tokenizer, raw.decoder = splits.cuts, decoders.ByteLevel()
    if splits.normalizer is not None:
        raw.normalizer = splits.normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(controls) - len(markup),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([SAID], trainer)
    raw.add_special_tokens(list(controls))
    raw.add_tokens([AddedToken(token, special=False, normalized=False) for token in markup])
    if name == "llama3":
        places = [(bos, raw.token_to_id(bos))]
        raw.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B:1", special_tokens=places
        )
    folder.mkdir(parents=True, exist_ok=True)
    raw.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": bos,
        "eos_token": eos,
        "pad_token": eos,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": template}))
    ends = [
        raw.token_to_id(token)
        for token in {eos, "<|endoftext|>", "<|end_of_text|>"}
        if raw.token_to_id(token) is not None
    ]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": sorted(ends)}))
