"""The model: a Llama-like decoder in the public checkpoint's parameter names; families differ by its config.

Shapes: B batch, T time, D model width, H query heads, K key/value heads, E head width,
F feed-forward width, V vocabulary. Heavy operations come from `smolforge.kernels`, which picks the
fastest implementation this machine has.

Source: SmolLM2, arXiv:2502.02737; Llama, arXiv:2302.13971 (RMSNorm, rotary positions, SwiGLU);
grouped-query attention, arXiv:2305.13245; the families: `model.config`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import MethodType

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from smolforge import kernels
from smolforge.model.config import ModelConfig

VALUE_MIX = 0.5
"""How strongly a token's own values count at first; learnt for each head."""


@dataclass(frozen=True)
class Where:
    """The rotary tables, and the start of each token's document (None: one document a row).

    `bounds_C` says where documents begin once more, for FlashAttention (`kernels.rotary_attention`).
    Positions count from the row's start, not the document's: rotary attention depends on differences
    alone, and a document sees only itself. `tokens_BT` is what tables of values are looked up by.
    `still` are the tables of layers that do not turn.
    """

    cos: Tensor
    sin: Tensor
    starts_BT: Tensor | None
    bounds_C: Tensor | None = None
    tokens_BT: Tensor | None = None
    still: tuple[Tensor, Tensor] | None = None


class Adapter(nn.Module):
    """What LoRA adds to a product: scale · B A x; see `model.lora`."""

    def __init__(self, inputs: int, outputs: int, rank: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.lora_A = nn.Linear(inputs, rank, bias=False)
        self.lora_B = nn.Linear(rank, outputs, bias=False)
        nn.init.zeros_(self.lora_B.weight)


def project(x_BTD: Tensor, *layers: nn.Linear) -> Tensor:
    """x through each layer, side by side in the last dimension; biases and adapters included where there are some."""
    out = kernels.linear(x_BTD, *(layer.weight for layer in layers))
    biases: list[Tensor] = [layer.bias for layer in layers if layer.bias is not None]
    if biases:
        out = out + torch.cat(biases).to(out.dtype)
    return _adapted(out, x_BTD, layers) if any(hasattr(layer, "adapter") for layer in layers) else out


def whole_weight(layer: nn.Linear) -> Tensor:
    """A product's weight with what its adapter adds."""
    adapter = getattr(layer, "adapter", None)
    if adapter is None:
        return layer.weight
    return layer.weight + adapter.scale * (adapter.lora_B.weight @ adapter.lora_A.weight)


def _adapted(out_BTM: Tensor, x_BTD: Tensor, layers: Sequence[nn.Linear]) -> Tensor:
    """The products, each with what its adapter adds; one product gives all of their narrow middles."""
    adapters: list[Adapter | None] = [getattr(layer, "adapter", None) for layer in layers]
    present = [adapter for adapter in adapters if adapter is not None]
    middles = iter(
        kernels.linear(x_BTD, *(a.lora_A.weight for a in present)).split(
            [a.lora_A.out_features for a in present], -1
        )
    )
    parts = []
    for part, adapter in zip(
        out_BTM.split([layer.out_features for layer in layers], -1), adapters, strict=True
    ):
        if adapter is not None:
            part = torch.add(part, kernels.linear(next(middles), adapter.lora_B.weight), alpha=adapter.scale)
        parts.append(part)
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


class Attention(nn.Module):
    """Causal attention within documents; `K` key/value heads serve `H` query heads.

    With `qk_norm` each head's queries and keys are normed before they are turned. With a table of values
    (`Research`), each token's own are added to those made from the residual.
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.kv_heads = config.num_key_value_heads
        self.eps = config.rms_norm_eps
        self.has_rope = config.has_rope(layer)
        query = config.num_attention_heads * config.head_dim
        key = config.num_key_value_heads * config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, query, bias=config.qkv_bias)
        self.k_proj = nn.Linear(config.hidden_size, key, bias=config.qkv_bias)
        self.v_proj = nn.Linear(config.hidden_size, key, bias=config.qkv_bias)
        self.o_proj = nn.Linear(query, config.hidden_size, bias=config.attention_bias)
        self.has_norms = config.qk_norm
        if self.has_norms:
            self.q_norm = Norm(config.head_dim)
            self.k_norm = Norm(config.head_dim)
        self.has_values = config.has_values(layer)
        if self.has_values:
            self.value_embeds = nn.Embedding(config.vocab_size, key)
            self.value_mix = nn.Parameter(torch.full((config.num_key_value_heads,), VALUE_MIX))

    def forward(self, x_BTD: Tensor, where: Where) -> Tensor:
        return project(self.mix(x_BTD, where), self.o_proj)

    def mix(self, x_BTD: Tensor, where: Where) -> Tensor:
        """What the heads give, side by side, before the output projection."""
        qkv = project(x_BTD, self.q_proj, self.k_proj, self.v_proj)
        if self.has_values:
            qkv = self._with_values(qkv, where)
        if self.has_norms:
            qkv = self._with_norms(qkv)
        cos, sin = (where.cos, where.sin) if self.has_rope or where.still is None else where.still
        return kernels.rotary_attention(
            qkv, self.heads, self.kv_heads, cos, sin, None, where.starts_BT, where.bounds_C
        )

    def _with_norms(self, qkv_BTP: Tensor) -> Tensor:
        heads, kv_heads = self.heads, self.kv_heads
        split = qkv_BTP.unflatten(-1, (heads + 2 * kv_heads, -1))
        q_BTHE, k_BTKE, v_BTKE = split.split((heads, kv_heads, kv_heads), dim=2)
        q_BTHE = kernels.rms_norm(q_BTHE, self.q_norm.weight, self.eps)
        k_BTKE = kernels.rms_norm(k_BTKE, self.k_norm.weight, self.eps)
        return torch.cat([q_BTHE, k_BTKE, v_BTKE], dim=2).flatten(2)

    def _with_values(self, qkv_BTP: Tensor, where: Where) -> Tensor:
        assert where.tokens_BT is not None
        own_BTV = kernels.embedding(where.tokens_BT, self.value_embeds.weight, qkv_BTP.dtype)
        mix_V = self.value_mix.repeat_interleave(own_BTV.shape[-1] // self.kv_heads).to(own_BTV.dtype)
        before = qkv_BTP.shape[-1] - own_BTV.shape[-1]
        return torch.cat([qkv_BTP[..., :before], torch.addcmul(qkv_BTP[..., before:], own_BTV, mix_V)], -1)


class FeedForward(nn.Module):
    """SwiGLU: `down(silu(gate(x)) * up(x))`; in a `Research` model `down(relu(up(x))^2)`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gated = not config.relu_squared
        if self.gated:
            self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=config.mlp_bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        return project(self.inner(x_BTD), self.down_proj)

    def inner(self, x_BTD: Tensor) -> Tensor:
        """What the gate lets through, before the down projection."""
        if not self.gated:
            return kernels.relu_squared(project(x_BTD, self.up_proj))
        return kernels.swiglu(project(x_BTD, self.gate_proj, self.up_proj))


class Norm(nn.Module):
    """The weight of one RMSNorm; the operation is fused with the residual addition before it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))


class Block(nn.Module):
    """One layer. Takes the last sub-layer's output and the residual it has yet to join."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.eps = config.rms_norm_eps
        self.input_layernorm = Norm(config.hidden_size)
        self.self_attn = Attention(config, layer)
        self.post_attention_layernorm = Norm(config.hidden_size)
        self.mlp = FeedForward(config)

    def forward(self, x_BTD: Tensor, residual_BTD: Tensor | None, where: Where) -> tuple[Tensor, Tensor]:
        if residual_BTD is None:
            residual_BTD = x_BTD
            normed_BTD = kernels.rms_norm(x_BTD, self.input_layernorm.weight, self.eps)
        else:
            normed_BTD, residual_BTD = kernels.add_rms_norm(
                x_BTD, residual_BTD, self.input_layernorm.weight, self.eps
            )
        mixed_BTD = self.self_attn(normed_BTD, where)
        normed_BTD, residual_BTD = kernels.add_rms_norm(
            mixed_BTD, residual_BTD, self.post_attention_layernorm.weight, self.eps
        )
        return self.mlp(normed_BTD), residual_BTD


class Decoder(nn.Module):
    """Embedding, layers and the last norm; exists for the `model.` in the public parameter names."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.num_hidden_layers))
        self.norm = Norm(config.hidden_size)


class Llama(nn.Module):
    """A Llama-like decoder, or what `Research` makes of it. Master parameters are fp32; products run in `compute`.

    With `recompute`, training keeps each layer's input alone and makes the rest again on the way back.
    """

    def __init__(self, config: ModelConfig, compute: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config = config
        self.compute = compute
        self.model = Decoder(config)
        if not config.tie_word_embeddings:
            self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.compiled = False
        self.recompute = False
        self._tables: tuple[Tensor, Tensor] | None = None

    @property
    def embedding_VD(self) -> Tensor:
        """The table of the tokens' embeddings."""
        return self.model.embed_tokens.weight

    @property
    def output_weight_VD(self) -> Tensor:
        """The output matrix: the embedding itself, where the two are tied."""
        return self.embedding_VD if self.config.tie_word_embeddings else self.lm_head.weight

    def compile_layers(self, backend: str = "inductor") -> None:
        """Let torch compile the layers: one graph serves them all (and one the first, which has no residual).

        The layers' `forward` is compiled, not their call, so that hooks (sharding, recomputation) stay
        outside and the graph is whole. Each shape of a batch, each mode and each model is a graph more.
        """
        torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
        forward = torch.compile(Block.forward, fullgraph=True, dynamic=False, backend=backend)
        for block in self.model.layers:
            block.forward = MethodType(forward, block)
        self.compiled = True

    def hidden(
        self, tokens_BT: Tensor, starts_BT: Tensor | None = None, bounds_C: Tensor | None = None
    ) -> Tensor:
        """Last hidden states, normed, (B, T, D) in the compute type.

        `starts_BT[b, t]` is the index in row `b` at which the document of token `t` begins; a token
        sees only its own document. None: one document a row. `bounds_C` may say the same once more, as
        places in the flattened rows: what FlashAttention reads.
        """
        tables = self.rotary_tables(tokens_BT.shape[1], tokens_BT.device)
        still = kernels.still_tables(tables[0]) if self.config.no_rope_every else None
        where = Where(*tables, starts_BT, bounds_C, tokens_BT, still)
        if self.compiled and bounds_C is not None:
            torch._dynamo.maybe_mark_dynamic(bounds_C, 0)  # any number of documents, one compiled graph
        x_BTD = kernels.embedding(tokens_BT, self.embedding_VD, self.compute)
        residual_BTD: Tensor | None = None
        for block in self.model.layers:
            if self.recompute and torch.is_grad_enabled():
                x_BTD, residual_BTD = checkpoint(
                    block, x_BTD, residual_BTD, where, use_reentrant=False, preserve_rng_state=False
                )
            else:
                x_BTD, residual_BTD = block(x_BTD, residual_BTD, where)
        norm = self.model.norm.weight
        if residual_BTD is None:
            return kernels.rms_norm(x_BTD, norm, self.config.rms_norm_eps)
        return kernels.add_rms_norm(x_BTD, residual_BTD, norm, self.config.rms_norm_eps)[0]

    def forward(self, tokens_BT: Tensor, starts_BT: Tensor | None = None) -> Tensor:
        """Logits (B, T, V) in fp32; training uses `hidden` with a fused loss, which never keeps these."""
        logits_BTV = kernels.linear(self.hidden(tokens_BT, starts_BT), self.output_weight_VD).float()
        return kernels.soft_capped(logits_BTV, self.config.soft_cap)

    def rotary_tables(self, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Cosines and sines for at least `length` positions, made when first needed."""
        if self._tables is None or len(self._tables[0]) < length or self._tables[0].device != device:
            config = self.config
            cos, sin = kernels.rotary_tables(
                max(length, 256), config.head_dim, config.rope_theta, rope_divisors(config)
            )
            self._tables = cos.to(device), sin.to(device)
        return self._tables

    def initialise(self, seed: int, *, zero_outputs: bool = False) -> None:
        """Normal weights of `initializer_range`, norms at one, biases and tables of values at zero.

        `zero_outputs` starts the projections that write to the residual at zero, so that every layer
        begins as the identity. Source: muP practice, arXiv:2203.03466; modded-nanogpt.
        """
        draw = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if weight.ndim == 1:
                    starts = {"value_mix": VALUE_MIX, "bias": 0.0}
                    weight.fill_(starts.get(name.rpartition(".")[2], 1.0))
                elif name.endswith("value_embeds.weight") or (
                    zero_outputs and name.endswith(("o_proj.weight", "down_proj.weight"))
                ):
                    weight.zero_()
                else:
                    values = torch.randn(weight.shape, generator=draw, dtype=torch.float32)
                    weight.copy_(values * self.config.initializer_range)


def rope_divisors(config: ModelConfig) -> Tensor | None:
    """By how much each of a head's E / 2 pairs turns slower than without `rope_scaling` (float64, R); None: not at all."""
    scaling = config.rope_scaling
    if scaling is None:
        return None
    pair_R = torch.arange(0, config.head_dim, 2, dtype=torch.float64)
    rate_R = torch.exp(-math.log(config.rope_theta) * pair_R / config.head_dim)
    turns_R = scaling.original_max_position_embeddings * rate_R / (2 * math.pi)
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    fast_R = ((turns_R - low) / (high - low)).clamp(0.0, 1.0)  # 0: divided whole, 1: left alone
    return 1.0 / (fast_R + (1.0 - fast_R) / scaling.factor)
