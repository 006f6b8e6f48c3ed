"""Another model as a judge, behind an endpoint that speaks OpenAI's protocol.

The key comes from the environment alone (`OPENAI_API_KEY`) and is written nowhere. Every reply is kept on disk under
the hash of what was asked, so nothing is paid for twice and a run that was stopped goes on where it was. Failures that
pass are tried again by the client; those that do not end the run with a message.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smolforge.errors import ConfigError, InputError, MissingExtra, StageError

KEY = "OPENAI_API_KEY"
AT_ONCE = 4
TRIES = 6
TIMEOUT_SECONDS = 180.0
MAX_REPLY_TOKENS = 2048
"""As the published judge of MT-Bench."""

Message = dict[str, str]
Send = Callable[[Sequence[Message]], str]


@dataclass
class Judge:
    """Asks, remembers and counts.

    cache       folder of replies, `<hash>.json`
    most_calls  budget of this run; replies from the cache are free
    send        what reaches the model; `endpoint` makes it
    """

    model: str
    base_url: str
    cache: Path
    most_calls: int
    send: Send
    calls: int = 0
    remembered: int = 0
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask_all(
        self, asked: Sequence[Sequence[Message]], told: Callable[[int], None] | None = None
    ) -> list[str]:
        """One reply each, in order; an empty one where the endpoint refused this request alone.

        Raises StageError where the budget is spent; what was answered is kept.
        """
        self.cache.mkdir(parents=True, exist_ok=True)
        replies: list[str] = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            futures = [pool.submit(self.ask, messages) for messages in asked]
            try:
                for future in futures:
                    replies.append(future.result())
                    if told is not None:
                        told(len(replies))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return replies

    def ask(self, messages: Sequence[Message]) -> str:
        """The reply to one conversation, from the cache where it is there."""
        file = self.cache / f"{self.key(messages)}.json"
        if (known := _read(file)) is not None:
            with self._lock:
                self.remembered += 1
            return known
        self._spend()
        try:
            reply = self.send(messages)
        except Refused:
            with self._lock:
                self.refused += 1
            return ""
        part = file.with_suffix(f".{threading.get_ident()}.part")
        part.write_text(json.dumps({"model": self.model, "reply": reply}, ensure_ascii=False), "utf-8")
        part.replace(file)
        return reply

    def key(self, messages: Sequence[Message]) -> str:
        """Everything that decides a reply."""
        asked = [self.base_url, self.model, MAX_REPLY_TOKENS, list(messages)]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def _spend(self) -> None:
        with self._lock:
            if self.calls >= self.most_calls:
                raise StageError(
                    f"the judge's budget of {self.most_calls} calls is spent",
                    fix="what was answered is kept: run it again with a larger `most_calls`",
                )
            self.calls += 1


class Refused(Exception):
    """The endpoint will not answer this request, but may answer others."""


def _read(file: Path) -> str | None:
    try:
        reply = json.loads(file.read_text("utf-8"))["reply"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return reply if isinstance(reply, str) else None


def cache_folder() -> Path:
    """`judge` in `$SMOL_CACHE`, else in the user's cache."""
    given = os.environ.get("SMOL_CACHE")
    user = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "smolforge"
    return (Path(given).expanduser() if given else user) / "judge"


def known_address(base_url: str) -> None:
    """Raises ConfigError for an address that is none, or that carries a password: addresses are recorded."""
    if not re.fullmatch(r"https?://[^\s/@]+(/[^\s@?]*)?", base_url):
        raise ConfigError(
            "the judge's address is not a plain http(s) address",
            where=re.sub(r"//[^/]*@", "//…@", base_url),
            fix=f"such as http://localhost:8000/v1; a key belongs into {KEY}",
        )


def endpoint(model: str, base_url: str) -> Send:
    """Reaches `model` at `base_url` through the official client.

    Raises MissingExtra without the client, InputError without a key; StageError later, where nothing more can come.
    """
    try:
        import openai
    except ImportError:
        raise MissingExtra(
            "judging needs the package `openai`", fix="pip install 'smolforge[judge]'"
        ) from None
    if not os.environ.get(KEY):
        raise InputError(
            f"the judge's key is not in the environment: {KEY} is not set",
            fix="set it; to any word for a server that asks for none",
        )
    client = openai.OpenAI(base_url=base_url, max_retries=TRIES, timeout=TIMEOUT_SECONDS)

    def send(messages: Sequence[Message]) -> str:
        asked: Any = list(messages)
        try:
            found = client.chat.completions.create(
                model=model, messages=asked, temperature=0, max_tokens=MAX_REPLY_TOKENS
            )
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            raise Refused(str(error)) from None
        except openai.OpenAIError as error:
            said = str(error).replace(os.environ.get(KEY) or KEY, "…")
            raise StageError(
                f"the judge does not answer: {said[:300]}",
                where=base_url,
                fix="what was answered is kept: run it again when the judge is there",
            ) from None
        return (found.choices[0].message.content or "") if found.choices else ""

    return send
