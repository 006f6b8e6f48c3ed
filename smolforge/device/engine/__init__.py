"""Our own engine for GGUF files: C, called through ctypes; no torch."""
