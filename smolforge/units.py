"""Numbers with units: reading `2M` or `1.5 GiB` from people, and writing them back.

Counts are decimal (K, M, B, T); bytes are binary (KiB, MiB, GiB); durations are seconds.
"""

from __future__ import annotations

import re
from decimal import Decimal

from smolforge.errors import ConfigError

COUNT_SUFFIX = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}


def parse_count(text: str) -> int:
    """`"2M"` -> 2_000_000; plain integers and underscores are accepted too."""
    match = re.fullmatch(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([kKmMbBgGtT]?)\s*", text)
    if not match:
        raise ConfigError(f"`{text}` is not a count", fix="write a whole number, or one like 500K, 2M, 1.5B")
    number, suffix = match.groups()
    value = Decimal(number.replace("_", "")) * COUNT_SUFFIX[suffix.lower()]
    if value != int(value):
        raise ConfigError(f"`{text}` is not a whole number", fix="write a whole number, or one like 500K, 2M")
    return int(value)


def parse_bytes(text: str) -> int:
    """`"100 MB"` -> 100_000_000, `"1.5 GiB"` -> 1_610_612_736; a plain number is bytes."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(?:([kKmMgGtT])(i?)[bB]?|[bB])?\s*", text)
    if not match:
        raise ConfigError(f"`{text}` is not a size", fix="write one like 100 MB or 1.5 GiB")
    number, suffix, binary = match.groups()
    power = " kmgt".index(suffix.lower()) if suffix else 0
    return int(Decimal(number) * (1024 if binary else 1000) ** power)


def format_count(count: float) -> str:
    """2_000_000 -> `"2.0M"`; three significant digits, the field's suffixes."""
    for scale, suffix in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if abs(count) >= scale:
            value = count / scale
            return f"{value:.0f}{suffix}" if value >= 100 else f"{value:.1f}{suffix}"
    return f"{count:.0f}" if count == int(count) else f"{count:.2f}"


def format_bytes(count_bytes: float) -> str:
    """1536 -> `"1.5 KiB"`."""
    size = float(count_bytes)
    for suffix in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1024 or suffix == "TiB":
            return f"{size:.0f} {suffix}" if suffix == "B" or size >= 100 else f"{size:.1f} {suffix}"
        size /= 1024
    raise AssertionError("unreachable")


def format_seconds(seconds: float) -> str:
    """75 -> `"1m 15s"`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 48 * 3600:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{seconds / 86400:.1f} days"
