"""Who may reach the server: the address it listens on, and the checks before a request is read.

Every request passes three: its `Host` names this machine (or else a web page could reach us by DNS
rebinding), its `Origin` is our own page or none, and its key is right where a key is set.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Collection
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from smolforge.errors import StageError
from smolforge.serve.wire import ApiError


def bind(host: str, port: int) -> socket.socket:
    """A listening address, taken before the model is announced; port 0 takes any free one."""
    if not 0 <= port <= 65_535:
        raise StageError(f"{port} is not a port", fix="choose one from 1024 to 65535 with --port")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError):
        raise StageError(
            f"`{host}` port {port} is not an address of this machine", fix="use --host 127.0.0.1"
        ) from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(64)
    except (OSError, OverflowError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) else "not a port"
        raise StageError(
            f"port {port} cannot be used: {(why or str(error)).lower()}",
            where=f"{host}:{port}",
            fix="end the program that uses it, or choose another with --port",
        ) from None
    return listener


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Checks every request before anything reads it, and sets the headers every answer has."""

    def __init__(self, app: ASGIApp, api_key: str, hosts: Collection[str]) -> None:
        self.app, self._key, self._hosts = app, api_key, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        error = self._fault(Request(scope))
        if error is None:
            await self.app(scope, receive, partial(_send_with_headers, send))
        else:
            await JSONResponse(error.body(), error.status)(scope, receive, partial(_send_with_headers, send))

    def _fault(self, request: Request) -> ApiError | None:
        host = request.headers.get("host", "")
        if not self._is_ours(host):
            return ApiError(403, "this server does not answer to that host name", code="wrong_host")
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return ApiError(403, "requests from other web pages are not allowed", code="wrong_origin")
        if not self._key or not request.url.path.startswith("/v1"):
            return None
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(key.strip().encode(), self._key.encode()):
            return None
        return ApiError(401, "the API key is missing or wrong", code="invalid_api_key")

    def _is_ours(self, host: str) -> bool:
        """Names must be known; a literal address cannot be rebound, so it is enough by itself."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


async def _send_with_headers(send: Send, message: Any) -> None:
    if message["type"] == "http.response.start":
        headers = message.setdefault("headers", [])
        headers += [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"cache-control", b"no-store"),
        ]
    await send(message)
