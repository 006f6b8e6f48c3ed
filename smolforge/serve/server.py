"""An OpenAI-compatible endpoint and one page to chat in, for one model on one machine.

Bodies, queue, time and answer length are bounded; who may ask at all is decided in `guard.py`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from smolforge.errors import SmolError
from smolforge.serve import wire
from smolforge.serve.desk import Desk, refusal
from smolforge.serve.guard import Guard, bind, is_loopback
from smolforge.serve.pages import digest_of, whole_page
from smolforge.serve.talk import Reply, Talker
from smolforge.serve.tools import CallSplitter, ToolCall
from smolforge.serve.wire import ApiError, ChatRequest, Shape, TextRequest

PAGE_POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
Piece = tuple[Reply, str]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one server takes on; chosen for one person's machine, untested beyond it.

    waiting  requests that may wait behind those being answered
    seconds  time of one request, waiting included
    """

    body_bytes: int = 1 << 20
    waiting: int = 64
    seconds: float = 300.0


@dataclass(frozen=True)
class Examples:
    """Questions that the page proposes; `seen`: the model was seen to answer them rightly."""

    questions: Sequence[str] = ()
    seen: bool = False


def build_app(
    talker: Talker,
    *,
    limits: Limits = Limits(),
    api_key: str = "",
    hosts: Collection[str] = (),
    examples: Examples = Examples(),
) -> ASGIApp:
    """The server as an ASGI application; `hosts` are names it answers to beside `localhost`."""
    service = _Service(talker, limits, bool(api_key), examples)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        service.desk.close()

    app = Starlette(
        routes=[
            Route("/", service.page),
            Route("/health", service.health),
            Route("/v1/models", service.models),
            Route("/v1/models/{name:path}", service.model),
            Route("/v1/chat/completions", service.chat, methods=["POST"]),
            Route("/v1/completions", service.text, methods=["POST"]),
        ],
        exception_handlers={404: _not_found, 405: _wrong_method, ApiError: _refused, Exception: _broken},
        lifespan=lifespan,
    )
    app.state.desk = service.desk
    return Guard(app, api_key, {"localhost", *(host.lower() for host in hosts)})


def serve(
    talker: Talker,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    limits: Limits = Limits(),
    api_key: str | None = None,
    hosts: Collection[str] = (),
    examples: Examples = Examples(),
) -> None:
    """Serve until Ctrl-C. Raises `StageError` when the address cannot be had."""
    listener = bind(host, port)
    url = f"http://{'[' + host + ']' if ':' in host else host}:{listener.getsockname()[1]}"
    print(f"{talker.name} is at {url} (chat page) and {url}/v1 (OpenAI's API). Ctrl-C ends it.", flush=True)
    if not is_loopback(host):
        print(
            f"warning: {host} can be reached from other machines"
            + ("" if api_key else ", and no API key is set: everybody there can use this model"),
            file=sys.stderr,
            flush=True,
        )
    names = {*hosts, socket.gethostname(), socket.getfqdn()} if not is_loopback(host) else hosts
    app = build_app(talker, limits=limits, api_key=api_key or "", hosts=names, examples=examples)
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=256,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=65_536,
    )
    try:
        _Server(settings).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()
    print("Stopped.", flush=True)


class _Server(uvicorn.Server):
    """Ends the running answers as soon as Ctrl-C comes, so that open streams close at once."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        desk = getattr(getattr(getattr(self.config.app, "app", None), "state", None), "desk", None)
        if isinstance(desk, Desk):
            desk.close()
        super().handle_exit(sig, frame)


class _Service:
    """The routes, with the one model they speak for."""

    def __init__(self, talker: Talker, limits: Limits, key_required: bool, examples: Examples) -> None:
        self.talker, self.limits, self.key_required = talker, limits, key_required
        self.examples = examples
        self.desk = Desk(waiting=limits.waiting, seconds=limits.seconds, at_once=talker.at_once)
        self._page, self._policy = _load_page()

    async def page(self, _request: Request) -> Response:
        headers = {"content-security-policy": self._policy}
        return Response(self._page, media_type="text/html; charset=utf-8", headers=headers)

    async def health(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "status": "ok",
                "model": self.talker.name,
                "context_tokens": self.talker.context_tokens,
                "requests": self.desk.inside,
                "key_required": self.key_required,
                "examples": list(self.examples.questions),
                "examples_seen": self.examples.seen,
            }
        )

    async def models(self, _request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._model()]})

    async def model(self, request: Request) -> Response:
        if request.path_params["name"] != self.talker.name:
            raise ApiError(404, f"there is no such model; use `{self.talker.name}`", code="model_not_found")
        return JSONResponse(self._model())

    def _model(self) -> dict[str, Any]:
        return {"id": self.talker.name, "object": "model", "created": 0, "owned_by": "smolforge"}

    async def chat(self, request: Request) -> Response:
        asked = wire.parse_chat(wire.parse_json(await self._body(request)), self.talker.name)
        names = {tool["name"] for tool in asked.tools}

        def start() -> Reply:
            return self.talker.stream(
                asked.messages, asked.tools, asked.how, stop=asked.stop, shorten=asked.shorten
            )

        pieces = self.desk.answer(start)
        if asked.stream:
            return await _stream(pieces, partial(_chat_chunks, asked, names, self.talker.name))
        shape = Shape.new("chat.completion", self.talker.name)
        return await self._whole(request, pieces, partial(_chat_answer, shape, names))

    async def text(self, request: Request) -> Response:
        asked = wire.parse_text(wire.parse_json(await self._body(request)), self.talker.name)
        pieces = self.desk.answer(partial(self.talker.complete, asked.prompt, asked.how, stop=asked.stop))
        if asked.stream:
            return await _stream(pieces, partial(_text_chunks, asked, self.talker.name))
        shape = Shape.new("text_completion", self.talker.name)
        return await self._whole(request, pieces, partial(_text_answer, shape))

    async def _body(self, request: Request) -> bytes:
        """The body, given up as soon as it grows too large or its sender too slow."""
        body = bytearray()
        too_large = ApiError(413, f"the body is larger than {self.limits.body_bytes} bytes", code="too_large")
        announced = request.headers.get("content-length", "0")
        if announced.isdigit() and int(announced) > self.limits.body_bytes:
            raise too_large
        try:
            async with asyncio.timeout(min(30.0, self.limits.seconds)):
                async for part in request.stream():
                    body += part
                    if len(body) > self.limits.body_bytes:
                        raise too_large
        except TimeoutError:
            raise ApiError(408, "the body did not arrive in time", code="timeout") from None
        return bytes(body)

    async def _whole(
        self,
        request: Request,
        pieces: AsyncGenerator[Piece, None],
        answer: Callable[[Reply, str], dict[str, Any]],
    ) -> Response:
        """Collect an answer, but stop when the client has left."""
        texts: list[str] = []
        reply: Reply | None = None
        async with aclosing(pieces):
            try:
                async for reply, piece in pieces:  # noqa: B007 (the last one is read below)
                    texts.append(piece)
                    if await request.is_disconnected():
                        return Response(status_code=499)
            except SmolError as error:
                raise refusal(error) from None
        if reply is None:
            raise ApiError(503, "the server is stopping", code="stopping")
        return JSONResponse(answer(reply, "".join(texts)))


async def _stream(
    pieces: AsyncGenerator[Piece, None],
    chunks: Callable[[AsyncIterator[Piece]], AsyncIterator[dict[str, Any]]],
) -> Response:
    """Server-sent events. The first piece is awaited here, so that a refusal still has its HTTP status."""
    try:
        first = await anext(pieces, None)
    except SmolError as error:
        raise refusal(error) from None
    if first is None:
        raise ApiError(503, "the server is stopping", code="stopping")
    first_piece: Piece = first

    async def all_pieces() -> AsyncIterator[Piece]:
        yield first_piece
        async for item in pieces:
            yield item

    async def events() -> AsyncIterator[str]:
        async with aclosing(pieces):
            try:
                async for chunk in chunks(all_pieces()):
                    yield _event(chunk)
            except SmolError as error:
                yield _event(refusal(error).body())
            except ApiError as error:
                yield _event(error.body())
            yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


async def _chat_chunks(
    asked: ChatRequest, names: Collection[str], model: str, pieces: AsyncIterator[Piece]
) -> AsyncIterator[dict[str, Any]]:
    shape = Shape.new("chat.completion.chunk", model)
    splitter = CallSplitter(names)
    calls = 0
    reply: Reply | None = None
    yield shape.around(wire.choice(delta={"role": "assistant", "content": ""}))
    async for reply, piece in pieces:  # noqa: B007 (the last one is read below)
        for part in splitter.feed(piece):
            yield shape.around(wire.choice(delta=_delta(part, calls)))
            calls += isinstance(part, ToolCall)
    for part in splitter.flush():
        yield shape.around(wire.choice(delta=_delta(part, calls)))
        calls += isinstance(part, ToolCall)
    assert reply is not None
    yield shape.around(wire.choice(delta={}, finish_reason=_finish(reply, calls)), **_left_out(reply))
    if asked.include_usage:
        yield shape.around([], usage=wire.usage(reply))


def _delta(part: str | ToolCall, index: int) -> dict[str, Any]:
    if isinstance(part, ToolCall):
        return {"tool_calls": [{"index": index, **wire.call_body(part)}]}
    return {"content": part}


def _chat_answer(shape: Shape, names: Collection[str], reply: Reply, text: str) -> dict[str, Any]:
    splitter = CallSplitter(names)
    parts = [*splitter.feed(text), *splitter.flush()]
    calls = [wire.call_body(part) for part in parts if isinstance(part, ToolCall)]
    content = "".join(part for part in parts if isinstance(part, str))
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if calls:
        message |= {"content": content.strip() or None, "tool_calls": calls}
    choices = wire.choice(message=message, finish_reason=_finish(reply, len(calls)))
    return shape.around(choices, usage=wire.usage(reply), **_left_out(reply))


async def _text_chunks(
    asked: TextRequest, model: str, pieces: AsyncIterator[Piece]
) -> AsyncIterator[dict[str, Any]]:
    shape = Shape.new("text_completion", model)
    reply: Reply | None = None
    async for reply, piece in pieces:  # noqa: B007 (the last one is read below)
        if piece:
            yield shape.around(wire.choice(text=piece))
    assert reply is not None
    yield shape.around(wire.choice(text="", finish_reason=reply.finish))
    if asked.include_usage:
        yield shape.around([], usage=wire.usage(reply))


def _text_answer(shape: Shape, reply: Reply, text: str) -> dict[str, Any]:
    return shape.around(wire.choice(text=text, finish_reason=reply.finish), usage=wire.usage(reply))


def _finish(reply: Reply, calls: int) -> str:
    return "tool_calls" if calls else reply.finish


def _left_out(reply: Reply) -> dict[str, int]:
    return {"left_out_messages": reply.left_out} if reply.left_out else {}


def _load_page() -> tuple[bytes, str]:
    """The chat page with its parts in it, and a policy that allows its own script and style and nothing else."""
    page = whole_page()
    policy = PAGE_POLICY.format(script=digest_of(page, "script"), style=digest_of(page, "style"))
    return page.encode(), policy


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    headers = {"retry-after": "1"} if error.status == 429 else None
    return JSONResponse(error.body(), error.status, headers=headers)


async def _not_found(request: Request, _error: Exception) -> Response:
    return JSONResponse(ApiError(404, f"there is nothing at {request.url.path[:200]}").body(), 404)


async def _wrong_method(request: Request, _error: Exception) -> Response:
    return JSONResponse(ApiError(405, f"{request.method} is not allowed here").body(), 405)


async def _broken(_request: Request, error: Exception) -> Response:
    """The request boundary: a defect of ours costs one request, not the server; it is still logged."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    return JSONResponse(ApiError(500, "something broke in the server; see its log").body(), 500)
