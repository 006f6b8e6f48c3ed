"""The shape of a model. No torch here: recipes and `smol plan` read it."""

from __future__ import annotations

from smolforge.config import config
from smolforge.errors import ConfigError


@config
class ModelConfig:
    """A plain Llama decoder with tied embeddings; field names follow the public Llama config.

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
        block = attention + 3 * self.hidden_size * self.intermediate_size + 2 * self.hidden_size
        return self.vocab_size * self.hidden_size + self.num_hidden_layers * block + self.hidden_size

    def flops_per_token(self, length: int) -> float:
        """Forward and backward FLOPs of one token: 6 per matrix weight, plus causal attention.

        Source: PaLM, arXiv:2204.02311, appendix B; the output product counts, the embedding look-up does not.
        """
        norms = self.hidden_size * (2 * self.num_hidden_layers + 1)
        matrices = self.parameters - norms
        attention = 12 * self.num_hidden_layers * self.num_attention_heads * self.head_dim * (length / 2)
        return 6.0 * matrices + attention
