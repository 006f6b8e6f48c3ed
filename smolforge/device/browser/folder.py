"""Writing the folder: `index.html` with everything in it, the model's file, and what makes the page installable."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from smolforge.device.browser.build import module
from smolforge.device.browser.plan import plan_of
from smolforge.serve.pages import digest_of, whole_page

MODEL_FILE = "model.gguf"
PAGE_FILES = ("index.html", "offline.js", "manifest.webmanifest", "icon.svg")
WORKER = ("tokenizer.js", "engine.js", "worker.js")
POLICY = (
    "default-src 'none'; script-src 'sha256-{script}' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'sha256-{style}'; connect-src 'self'; img-src 'self' data:; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#2f6f5e"/>\
<path d="M9 11h14M9 16h14M9 21h8" stroke="#fff" stroke-width="2.4" stroke-linecap="round"/></svg>
"""


def script(name: str) -> str:
    """One of the scripts that lie here."""
    return resources.files("smolforge.device.browser").joinpath(name).read_text(encoding="utf-8")


def write_folder(file: Path, name: str, folder: Path) -> None:
    """The page and a copy of the GGUF `file` in `folder`, which is there."""
    page = page_of(plan_of(file, name))
    shutil.copyfile(file, folder / MODEL_FILE)
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "icon.svg").write_text(ICON, encoding="utf-8")
    (folder / "manifest.webmanifest").write_text(json.dumps(_manifest(name), indent=2), encoding="utf-8")
    version = hashlib.sha256(page.encode()).hexdigest()[:16]
    (folder / "offline.js").write_text(script("offline.js").replace("VERSION", version), encoding="utf-8")


def page_of(plan: dict[str, Any]) -> str:
    """`index.html`: the chat page, asking a worker where the served one asks a server."""
    device = {
        "plan": {**plan, "file": MODEL_FILE},
        "worker": '"use strict";\n' + "\n".join(map(script, WORKER)),
        "wasm": base64.b64encode(module()).decode(),
    }
    written = json.dumps(device).replace("<", "\\u003c")
    page = whole_page({"stream.js": f"const DEVICE = {written};\n" + script("model.js")})
    policy = POLICY.format(script=digest_of(page, "script"), style=digest_of(page, "style"))
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<link rel="manifest" href="manifest.webmanifest">\n'
    return page.replace("<title>", head + "<title>", 1)


def _manifest(name: str) -> dict[str, Any]:
    return {
        "name": name, "short_name": name[:24], "start_url": "./", "display": "standalone",
        "background_color": "#fbfaf8", "theme_color": "#2f6f5e",
        "icons": [{"src": "icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
    }  # fmt: skip
