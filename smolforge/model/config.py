"""The shape of a model. No torch here: recipes and `smol plan` read it."""

from __future__ import annotations

from typing import Literal

from smolforge.config import config
from smolforge.errors import ConfigError

PRODUCTS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The products of a layer, by the last part of their public names."""
Family = Literal["llama", "qwen2", "qwen3", "smollm3"]
"""The public formats that models are read from and written in."""


@config
class Research:
    """What learns faster than a plain Llama and cannot be exported as one. For experiments alone.

    relu_squared      relu(x)^2 in the feed-forward, without a gate. Source: Primer, arXiv:2109.08668
    value_embeddings  a table of values for each token, added in every second layer, the last one included.
                      Source: Value Residual Learning, arXiv:2410.17897; Modded-NanoGPT (2024)
    soft_cap          logits are kept within it by a hyperbolic tangent; 0: left alone. Source: Gemma 2,
                      arXiv:2408.00118
    """

    relu_squared: bool = True
    value_embeddings: bool = True
    soft_cap: float = 15.0

    def __post_init__(self) -> None:
        if self.soft_cap < 0:
            raise ConfigError(f"`soft_cap` is {self.soft_cap}", fix="use a positive number, or 0 for none")


@config
class RopeScaling:
    """Slow rotary frequencies divided by `factor`, fast ones left alone, a smooth passage between.

    A pair that turns fewer than `low_freq_factor` times within `original_max_position_embeddings` is slow,
    one that turns more than `high_freq_factor` times is fast. Source: Llama 3.1, arXiv:2407.21783, and the
    `llama3` rope type of the public configs.
    """

    factor: float
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_max_position_embeddings: int = 8192

    def __post_init__(self) -> None:
        if self.factor < 1 or self.original_max_position_embeddings < 1:
            raise ConfigError(
                "`factor` or `original_max_position_embeddings` is below 1", fix="use 1 or more"
            )
        if not 0 < self.low_freq_factor < self.high_freq_factor:
            raise ConfigError("`low_freq_factor` must be above 0 and below `high_freq_factor`")


@config
class ModelConfig:
    """A Llama-like decoder; field names follow the public configs.

    family         whose public format the model is written in. llama: any of the settings below; qwen2: biases on
                   queries, keys and values; qwen3: queries and keys normed a head; smollm3: some layers do not turn
    tie_word_embeddings  the output matrix is the embedding
    attention_bias       biases in attention's projections (qwen2: always on queries, keys and values, never on the output)
    no_rope_every        every so many layers one, the last of them, has no rotary positions; 0: all have
    research             no longer a Llama: it trains, is evaluated and talks here, and is not exported

    Source: SmolLM2, arXiv:2502.02737; Llama 3, arXiv:2407.21783; Qwen2.5, arXiv:2412.15115; Qwen3, arXiv:2505.09388;
    layers without positions as in SmolLM3: arXiv:2501.18795; and the published configurations.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int = 64
    max_position_embeddings: int = 2048
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-5
    initializer_range: float = 0.02
    family: Family = "llama"
    tie_word_embeddings: bool = True
    attention_bias: bool = False
    mlp_bias: bool = False
    rope_scaling: RopeScaling | None = None
    no_rope_every: int = 0
    research: Research | None = None

    def __post_init__(self) -> None:
        sizes = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                 "num_key_value_heads", "head_dim", "max_position_embeddings")  # fmt: skip
        for name in sizes:
            if getattr(self, name) < 1:
                raise ConfigError(f"`{name}` is {getattr(self, name)}", fix="use a whole number above 0")
        for name in ("rope_theta", "rms_norm_eps", "initializer_range"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"`{name}` is {getattr(self, name)}", fix="use a number above 0")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ConfigError(
                f"`num_attention_heads` ({self.num_attention_heads}) is not a multiple of "
                f"`num_key_value_heads` ({self.num_key_value_heads})",
                fix="change one of the two",
            )
        if self.head_dim % 2:
            raise ConfigError(
                f"`head_dim` is {self.head_dim}", fix="rotary positions need an even head width"
            )
        self._check_family()

    def _check_family(self) -> None:
        """No setting that the family's public format has no place for."""
        wrong = {
            "attention_bias": self.attention_bias and self.family == "qwen2",
            "mlp_bias": self.mlp_bias and self.family in ("qwen2", "qwen3"),
            "no_rope_every": self.no_rope_every and self.family != "smollm3",
            "research": self.research is not None and self.family != "llama",
        }
        for name, refused in wrong.items():
            if refused:
                raise ConfigError(f"`{name}` does not go with the family `{self.family}`", fix="leave it out")
        if self.no_rope_every < 0 or self.no_rope_every == 1:
            raise ConfigError(f"`no_rope_every` is {self.no_rope_every}", fix="use 2 or more, or 0 for none")

    @property
    def qkv_bias(self) -> bool:
        """Whether queries, keys and values have a bias."""
        return self.attention_bias or self.family == "qwen2"

    @property
    def qk_norm(self) -> bool:
        """Whether every head's queries and keys are normed before they are turned."""
        return self.family == "qwen3"

    def has_rope(self, layer: int) -> bool:
        """Whether this layer (from 0) turns queries and keys by their positions."""
        return not self.no_rope_every or (layer + 1) % self.no_rope_every != 0

    @property
    def parameters(self) -> int:
        """Trainable numbers, a tied embedding counted once."""
        return self._matrix_numbers + self._vector_numbers + self._table_numbers

    @property
    def facts(self) -> dict[str, int | bool]:
        """What is told of every model: its parameters, and whether it is a research model."""
        return {"parameters": self.parameters} | ({"research": True} if self.research else {})

    @property
    def relu_squared(self) -> bool:
        """Whether the feed-forward has relu(x)^2 and no gate."""
        return self.research is not None and self.research.relu_squared

    @property
    def soft_cap(self) -> float:
        """What the logits are kept within; 0: anything."""
        return self.research.soft_cap if self.research else 0.0

    def has_values(self, layer: int) -> bool:
        """Whether this layer (from 0) has a table of values."""
        wanted = self.research is not None and self.research.value_embeddings
        return wanted and (self.num_hidden_layers - 1 - layer) % 2 == 0

    @property
    def _matrix_numbers(self) -> int:
        """Weights of all products with the residual stream, the output matrix among them."""
        heads = self.num_attention_heads + self.num_key_value_heads
        attention = self.hidden_size * self.head_dim * 2 * heads
        forward = (2 if self.relu_squared else 3) * self.hidden_size * self.intermediate_size
        return self.num_hidden_layers * (attention + forward) + self.vocab_size * self.hidden_size

    @property
    def _vector_numbers(self) -> int:
        """Norms and biases."""
        heads, forward = self.num_attention_heads + 2 * self.num_key_value_heads, self.intermediate_size
        block = 2 * self.hidden_size
        block += heads * self.head_dim * self.qkv_bias + self.hidden_size * self.attention_bias
        block += (forward * (1 if self.relu_squared else 2) + self.hidden_size) * self.mlp_bias
        block += 2 * self.head_dim * self.qk_norm
        return self.num_hidden_layers * block + self.hidden_size

    @property
    def _table_numbers(self) -> int:
        """What is only looked up: an embedding that is not the output matrix, a `Research` model's values."""
        layers = sum(self.has_values(layer) for layer in range(self.num_hidden_layers))
        values = layers * self.num_key_value_heads * (self.vocab_size * self.head_dim + 1)
        return values + (0 if self.tie_word_embeddings else self.vocab_size * self.hidden_size)

    def flops_per_token(self, length: int) -> float:
        """Forward and backward FLOPs of one token: 6 per matrix weight, plus causal attention.

        Source: PaLM, arXiv:2204.02311, appendix B; the output product counts, the embedding look-up does not.
        """
        attention = 12 * self.num_hidden_layers * self.num_attention_heads * self.head_dim * (length / 2)
        return 6.0 * self._matrix_numbers + attention


@config
class LoraConfig:
    """Adapters instead of the weights themselves: a hundredth of the numbers to train, the rest stays as it is.

    rank     of each adapter
    alpha    an adapter counts alpha / rank
    targets  which products get one, by the last part of their public names
    Source: LoRA, arXiv:2106.09685; all products as in QLoRA, arXiv:2305.14314.
    """

    rank: int = 16
    alpha: float = 32.0
    targets: tuple[str, ...] = PRODUCTS

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0:
            raise ConfigError("`rank` must be at least 1 and `alpha` above 0")
        unknown = sorted(set(self.targets) - set(PRODUCTS))
        if unknown or not self.targets:
            raise ConfigError(
                f"`targets` names {unknown or 'nothing'}", fix=f"use some of {', '.join(PRODUCTS)}"
            )

    def parameters(self, model: ModelConfig) -> int:
        """Numbers that are trained."""
        shapes = weight_shapes(model)
        chosen = [s for name, s in shapes.items() if name.split(".")[-2] in self.targets and len(s) == 2]
        return sum(self.rank * (rows + columns) for rows, columns in chosen)


MOST_UNUSED = 0.01
"""Share of a model's rows that may have no token: Qwen2.5 leaves 271 of 151,936. More means another tokenizer."""


def check_vocabulary(model_tokens: int, tokenizer_tokens: int) -> None:
    """ConfigError unless every token has its row; released models have a few rows more, which no token uses."""
    if not tokenizer_tokens <= model_tokens <= tokenizer_tokens + MOST_UNUSED * model_tokens:
        raise ConfigError(
            f"the model has {model_tokens} tokens, the tokenizer {tokenizer_tokens}",
            where="model.vocab_size",
            fix="give the model the tokenizer it was trained with",
        )


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Public name and shape of every weight, in the order of the checkpoint's parts; what a file is held against."""
    width, forward, head = config.hidden_size, config.intermediate_size, config.head_dim
    query, key = config.num_attention_heads * head, config.num_key_value_heads * head
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config.vocab_size, width)}

    def product(name: str, rows: int, columns: int, bias: bool) -> None:
        shapes[f"{name}.weight"] = (rows, columns)
        if bias:
            shapes[f"{name}.bias"] = (rows,)

    for layer in range(config.num_hidden_layers):
        at = f"model.layers.{layer}"
        shapes[f"{at}.input_layernorm.weight"] = (width,)
        for name, rows in (("q", query), ("k", key), ("v", key)):
            product(f"{at}.self_attn.{name}_proj", rows, width, config.qkv_bias)
        product(f"{at}.self_attn.o_proj", width, query, config.attention_bias)
        if config.qk_norm:
            shapes |= {f"{at}.self_attn.q_norm.weight": (head,), f"{at}.self_attn.k_norm.weight": (head,)}
        if config.has_values(layer):
            shapes[f"{at}.self_attn.value_embeds.weight"] = (config.vocab_size, key)
            shapes[f"{at}.self_attn.value_mix"] = (config.num_key_value_heads,)
        shapes[f"{at}.post_attention_layernorm.weight"] = (width,)
        if not config.relu_squared:
            product(f"{at}.mlp.gate_proj", forward, width, config.mlp_bias)
        product(f"{at}.mlp.up_proj", forward, width, config.mlp_bias)
        product(f"{at}.mlp.down_proj", width, forward, config.mlp_bias)
    shapes["model.norm.weight"] = (width,)
    return shapes if config.tie_word_embeddings else {**shapes, "lm_head.weight": (config.vocab_size, width)}
