"""Private details replaced by placeholders: e-mail addresses, public IP addresses, phone, card and bank numbers.

Patterns first, then a check that the hit is one (Luhn, IBAN's remainder, public address), because numbers of
versions, tables and formulas look alike. In code, only e-mail, IP, card and IBAN are looked for.
Source: FineWeb (e-mail and public IP); the others chosen, with false positives in mind.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable

EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,6}[A-Za-z]{2,24}\b"
)
IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
PHONE = re.compile(
    r"(?<![\w.$/=+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]\d{2,4}){2,4}"
    r"|\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}-\d{3}-\d{4})(?![\w-])"
)
CARD = re.compile(r"(?<![\w.-])(?:\d{4}[ -]){3}\d{1,7}(?![\w.-])|(?<![\w.-])[3-6]\d{12,18}(?![\w.-])")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
EXAMPLE_HOSTS = re.compile(
    r"@(?:[\w-]+\.)*(?:example\.(?:com|org|net)|localhost|test|invalid)$", re.IGNORECASE
)

EMAIL_TOKEN = "email@example.com"
IP_TOKEN = "192.0.2.1"
PHONE_TOKEN = "555-0100"
CARD_TOKEN = "<CARD NUMBER>"
IBAN_TOKEN = "<BANK ACCOUNT>"


def scrub(text: str, *, code: bool = False) -> tuple[str, dict[str, int]]:
    """`text` with private details replaced, and how many of each kind were."""
    counts: Counter[str] = Counter()
    steps: list[tuple[str, re.Pattern[str], str, Callable[[str], bool], bool]] = [
        ("email", EMAIL, EMAIL_TOKEN, _is_private_email, "@" in text),
        ("iban", IBAN, IBAN_TOKEN, is_iban, True),
        ("card", CARD, CARD_TOKEN, is_card, True),
        ("ip", IPV4, IP_TOKEN, is_public_ip, True),
        ("phone", PHONE, PHONE_TOKEN, _is_phone, not code),
    ]
    for name, pattern, token, check, wanted in steps:
        if not wanted:
            continue

        def replace(match: re.Match[str], name: str = name, token: str = token, check=check) -> str:  # type: ignore[no-untyped-def]
            if not check(match.group()):
                return match.group()
            counts[name] += 1
            return token

        text = pattern.sub(replace, text)
    return text, dict(sorted(counts.items()))


def _is_private_email(text: str) -> bool:
    return not EXAMPLE_HOSTS.search(text)


def is_public_ip(text: str) -> bool:
    """Whether four numbers are an address of the open internet; versions (1.2.3.4) begin low and are kept."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    parts = [int(p) for p in text.split(".")]
    return address.is_global and not address.is_multicast and max(parts) > 30 and parts[0] > 3


def is_card(text: str) -> bool:
    """Luhn's check on 13 to 19 digits that are not all alike."""
    digits = [int(c) for c in text if c.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 2 or digits[0] not in (3, 4, 5, 6):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_iban(text: str) -> bool:
    """The remainder that every IBAN has. Source: ISO 13616."""
    packed = text.replace(" ", "")
    if not 15 <= len(packed) <= 34:
        return False
    moved = packed[4:] + packed[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _is_phone(text: str) -> bool:
    digits = sum(c.isdigit() for c in text)
    return 9 <= digits <= 15 and not text.startswith("555-01")
