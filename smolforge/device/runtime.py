"""Running a GGUF file with llama.cpp: the same face as the torch model, on the device's own engine."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from types import ModuleType
from typing import Any

from smolforge.device.gguf_in import shape_of, tokenizer_of
from smolforge.device.header import read_header
from smolforge.errors import InputError, MissingExtra, StageError
from smolforge.language_model import Ended, Logprob, Sampling, Told
from smolforge.text.tokenizer import Tok

FORCE = 1e4
"""A bias that makes any token the certain choice; reported log-probabilities are those before it."""
CALL_SECONDS = 600


@dataclass(frozen=True)
class Answer:
    """Token ids without the one that stopped, and why generation ended: `stop` or `length`."""

    ids: list[int]
    reason: str


def load_llama_cpp() -> ModuleType:
    """The `xllamacpp` module, or the way to get it."""
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingExtra(
            f"llama.cpp cannot be loaded ({error})", where="xllamacpp", fix="pip install xllamacpp"
        ) from None
    return xllamacpp


class GgufModel:
    """A GGUF file as a `LanguageModel`. One request at a time; stops by itself at the file's end tokens.

    tok      the file's own tokenizer
    context  longest prompt and answer together, in tokens
    """

    def __init__(
        self, file: Path, *, threads: int = 1, context: int | None = None, exact: bool = False
    ) -> None:
        """Load `file`; `exact` keeps keys and values in fp32 for comparisons.

        Raises InputError for a file that is damaged or of another kind, MissingExtra without llama.cpp.
        """
        header = read_header(file)
        shape = shape_of(header)
        self.tok: Tok = tokenizer_of(header)
        self._ends = frozenset(self.tok.end_ids)
        self._vocabulary = shape.vocab_size
        self.context = min(context or shape.max_position_embeddings, shape.max_position_embeddings)
        engine = load_llama_cpp()
        self._secret = secrets.token_hex()
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        params = engine.CommonParams()
        params.model.path = str(file)
        params.n_ctx = self.context
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.api_keys = [self._secret]
        params.cache_ram_mib = 0
        params.verbosity = -1
        params.warmup = params.fit_params = params.ui = params.endpoint_slots = False
        if exact:
            params.cache_type_k = params.cache_type_v = engine.ggml_type.GGML_TYPE_F32
            params.flash_attn_type = engine.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        try:
            self._server = engine.Server(params)
        except RuntimeError:
            raise InputError(
                "llama.cpp cannot load this file", where=str(file), fix="copy, fetch or export it again"
            ) from None

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        how: Sampling,
        stop: Sequence[int] = (),
        ended: Ended | None = None,
        told: Told | None = None,
    ) -> list[list[int]]:
        """One answer a prompt, without the token that stopped it; `ended` is not asked, so more may follow."""
        answers = []
        for prompt in prompts:
            answers.append(self.answer(prompt, how, stop).ids)
            if told is not None:
                told(len(answers))
        return answers

    def answer(
        self,
        prompt: Sequence[int],
        how: Sampling,
        stop: Sequence[int] = (),
        bias: Mapping[int, float] | None = None,
    ) -> Answer:
        """One answer, ended by one of the file's end tokens or by the first of `stop`."""
        reply = self._post("/completion", {**self._request(prompt, how, bias), "return_tokens": True})
        ids = [int(token) for token in reply["tokens"]]
        ended = reply.get("stop_type") == "eos"
        if ended and ids and ids[-1] in self._ends:
            ids.pop()
        for place, token in enumerate(ids):
            if token in stop or token in self._ends:
                return Answer(ids[:place], "stop")
        return Answer(ids, "stop" if ended else "length")

    def stream(self, prompt: Sequence[int], how: Sampling, stop: Sequence[int] = ()) -> Iterator[int]:
        """An answer's ids as they come, without the token that stopped it; closing the iterator stops the work.

        llama.cpp holds a character back until its last byte is there and then names only the last id. The
        character's ids are then made anew from its text: the text is right wherever it is UTF-8, the ids of
        such a character may be other ones than the model chose.
        """
        body = {**self._request(prompt, how, None), "stream": True, "return_tokens": True}
        with self._open("/completion", body) as reply:
            for line in reply:
                if not line.startswith(b"data: {"):
                    continue
                event = _event(line)
                ids, text = [int(token) for token in event.get("tokens", ())], event.get("content", "")
                if self.tok.decode(ids, skip_special=True) != text:
                    ids = self.tok.encode(text)
                for token in ids:
                    if token in stop or token in self._ends:
                        return
                    yield token

    def logprobs(
        self, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
    ) -> list[Logprob]:
        """Log-probability of each continuation after its prompt, token by token."""
        results = []
        for prompt, continuation in zip(prompts, continuations, strict=True):
            total, greedy = 0.0, True
            for place, token in enumerate([*continuation]):
                value, best = self.token_logprob([*prompt, *continuation[:place]], token)
                total, greedy = total + value, greedy and best == token
            results.append(Logprob(total, len(continuation), greedy))
        return results

    def token_logprob(self, prompt: Sequence[int], token: int) -> tuple[float, int]:
        """Natural log-probability of `token` after `prompt`, and the likeliest token there.

        llama.cpp reports the probability of the token it chose, so the choice is forced; for a token that
        begins an unfinished character it reports nothing, and the whole distribution is asked for.
        """
        entry = self._next(prompt, probabilities=1, choose=token)
        if entry is None:
            table = self.distribution(prompt)
            return table[token], max(table, key=table.__getitem__)
        return float(entry["logprob"]), int(entry["top_logprobs"][0]["id"])

    def distribution(self, prompt: Sequence[int]) -> dict[int, float]:
        """Natural log-probability of every token after `prompt`. Slow: tens of milliseconds."""
        entry = self._next(prompt, probabilities=self._vocabulary, choose=self.tok.eot_id)
        if entry is None:
            raise StageError("llama.cpp reported no probabilities", fix="install the pinned xllamacpp")
        return {int(top["id"]): float(top["logprob"]) for top in entry["top_logprobs"]}

    def tokenize(self, text: str) -> list[int]:
        """llama.cpp's own tokens of a text, special tokens allowed."""
        body = {"content": text, "add_special": False, "parse_special": True}
        return list(self._post("/tokenize", body)["tokens"])

    def render(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] | None, prompt: bool
    ) -> str:
        """llama.cpp's own rendering of the file's chat template, with the token that it takes off to put it back later."""
        body = {"messages": list(messages), "add_generation_prompt": prompt}
        if tools:
            body["tools"] = [t if "function" in t else {"type": "function", "function": t} for t in tools]
        begin = self.tok.roles.bos if self.tok.begin_ids else ""
        return f"{begin}{self._post('/apply-template', body)['prompt']}"

    def _next(self, prompt: Sequence[int], *, probabilities: int, choose: int) -> dict[str, Any] | None:
        request = self._request(prompt, Sampling(max_new_tokens=1), {choose: FORCE})
        found = self._post("/completion", {**request, "n_probs": probabilities}).get(
            "completion_probabilities"
        )
        return dict(found[0]) if found else None

    def _request(
        self, prompt: Sequence[int], how: Sampling, bias: Mapping[int, float] | None
    ) -> dict[str, Any]:
        """Our sampling settings under llama.cpp's names; its own extra samplers are switched off."""
        if not prompt or len(prompt) >= self.context:
            raise InputError(
                f"a prompt of {len(prompt)} tokens; this model reads 1 to {self.context - 1}",
                fix="shorten the conversation or start a new one",
            )
        if min(prompt) < 0 or max(prompt) >= self.tok.vocab_size:
            raise InputError("a token id outside the vocabulary", fix=f"ids end at {self.tok.vocab_size - 1}")
        return {
            "prompt": list(prompt),
            "n_predict": min(how.max_new_tokens, self.context - len(prompt)),
            "temperature": how.temperature,
            "top_p": how.top_p,
            "top_k": how.top_k,
            "min_p": 0.0,
            "repeat_penalty": how.repetition_penalty,
            "repeat_last_n": self.context,
            "seed": how.seed,
            "cache_prompt": True,
            "logit_bias": [[token, value] for token, value in (bias or {}).items()],
        }

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        with self._open(path, body) as reply:
            return dict(json.load(reply))

    def _open(self, path: str, body: Mapping[str, Any]) -> HTTPResponse:
        """A request to the engine's own port, which only this process has the key of."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._secret}"}
        request = urllib.request.Request(
            self._server.listening_address + path, json.dumps(body).encode(), headers
        )
        try:
            opened: HTTPResponse = self._opener.open(request, timeout=CALL_SECONDS)
        except urllib.error.HTTPError as error:
            detail = error.read(2000).decode("utf-8", "replace")
            raise StageError(f"llama.cpp refused {path} ({error.code})", where=detail) from None
        except OSError as error:
            raise StageError(f"llama.cpp does not answer ({error})", where=path, fix="start again") from None
        return opened


def _event(line: bytes) -> dict[str, Any]:
    event = json.loads(line.removeprefix(b"data: "))
    if "error" in event:
        raise StageError(f"llama.cpp stopped: {event['error']}")
    return dict(event)
