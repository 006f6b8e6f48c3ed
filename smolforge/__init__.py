"""smolforge: the whole road of a small language model, from raw files to a model you can talk to."""

__version__ = "0.1.0"
