"""Stages that take a model from elsewhere into the lab, so that all that comes of it has a lineage."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from smolforge.artifacts import Checkpoint, Facts, ForeignModel, Tokenizer
from smolforge.config import config
from smolforge.stage import Job, stage

if TYPE_CHECKING:
    from smolforge.text.tokenizer import Tok


@config
class TakeInConfig:
    """What is known of a model that others made.

    name      what it is called
    licence   under which it was released; empty: unknown
    revision  its commit where it was released; empty: unknown
    """

    name: str = ""
    licence: str = ""
    revision: str = ""


@stage(makes=Checkpoint, version=1)
def take_in_model(cfg: TakeInConfig, job: Job, *, source: ForeignModel) -> Facts:
    """Weights of a released model, checked, under their public names.

    Of a GGUF file they are exactly what `gguf` dequantises, in fp32; a bfloat16 folder stays in bfloat16.

    Writes  config.json, model.safetensors
    Facts   parameters, stored_as (the number type in the source), family, name, licence, revision
    Raises  InputError for a damaged file, a kind of model that is not run here, weights that are not finite
    """
    from smolforge.model.weights import save_model
    from smolforge.released import foreign

    tok = foreign.tokenizer_of(source.path)
    model = foreign.load_model_of(
        source.path, tick=lambda done, total: job.log.progress(done, total, "tensors", "unpacking")
    )
    stored_as = foreign.stored_as(source.path)
    save_model(
        job.out,
        model,
        stored="bfloat16" if stored_as == "bfloat16" else "float32",
        bos=tok.bos_id,
        eos=tok.eos_id,
        pad=tok.pad_id,
    )
    return {**model.config.facts, "family": model.config.family, "stored_as": stored_as, **_known(cfg)}


@stage(makes=Tokenizer, version=1)
def take_in_tokenizer(cfg: TakeInConfig, job: Job, *, source: ForeignModel) -> Facts:
    """The tokenizer of a released model, with the ends and the chat template its makers gave it.

    Writes  tokenizer.json, tokenizer_config.json, special_tokens_map.json, generation_config.json; chat_template.jinja
            where there is one
    Facts   vocabulary, cuts (how it cuts text), lossless, chat_template
    Raises  InputError for a tokenizer that cannot be used exactly
    """
    from smolforge.released import foreign
    from smolforge.text.tokenizer import save_parts

    tok = foreign.tokenizer_of(source.path)
    save_parts(tok, job.out)
    if source.path.is_dir():  # its own bytes: whatever else stands in it goes on with the model
        shutil.copyfile(source.path / "tokenizer.json", job.out / "tokenizer.json")
    return {
        "vocabulary": tok.vocab_size,
        "cuts": tok.splits.name,
        "lossless": "yes" if tok.is_lossless else "no",
        "chat_template": _template_of(tok),
        **_known(cfg),
    }


def _known(cfg: TakeInConfig) -> dict[str, str]:
    return {name: value for name in ("name", "licence", "revision") if (value := getattr(cfg, name))}


def _template_of(tok: Tok) -> str:
    if tok.template is not None:
        return "its own"
    return "ChatML" if tok.can_chat else "none"
