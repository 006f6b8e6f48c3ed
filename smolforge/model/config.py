"""The shape of a model. No torch here: recipes and `smol plan` read it."""

from __future__ import annotations

from smolforge.config import config
from smolforge.errors import ConfigError


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
class ModelConfig:
    """A plain Llama decoder with tied embeddings; field names follow the public Llama config.

    With `research` it is no longer one: it trains, is evaluated and talks here, and is not exported.
    Source: SmolLM2, arXiv:2502.02737, and the published configurations.
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
    research: Research | None = None

    def __post_init__(self) -> None:
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

    @property
    def parameters(self) -> int:
        """Trainable numbers, the tied embedding counted once."""
        attention = (
            self.hidden_size * self.head_dim * 2 * (self.num_attention_heads + self.num_key_value_heads)
        )
        forward = (2 if self.relu_squared else 3) * self.hidden_size * self.intermediate_size
        block = attention + forward + 2 * self.hidden_size
        plain = self.vocab_size * self.hidden_size + self.num_hidden_layers * block + self.hidden_size
        return plain + self._value_numbers

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
    def _value_numbers(self) -> int:
        tables = sum(self.has_values(layer) for layer in range(self.num_hidden_layers))
        return tables * self.num_key_value_heads * (self.vocab_size * self.head_dim + 1)

    def flops_per_token(self, length: int) -> float:
        """Forward and backward FLOPs of one token: 6 per matrix weight, plus causal attention.

        Source: PaLM, arXiv:2204.02311, appendix B; the output product counts, the embedding look-up does not.
        """
        norms = self.hidden_size * (2 * self.num_hidden_layers + 1)
        matrices = self.parameters - norms - self._value_numbers
        attention = 12 * self.num_hidden_layers * self.num_attention_heads * self.head_dim * (length / 2)
        return 6.0 * matrices + attention
