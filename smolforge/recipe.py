"""Loading recipes: a Python file with `SCALES` (name → config, the first is the default) and `recipe`.

SCALES = {"demo": Config(...), "tiny": Config(...)}
def recipe(store: Store, cfg: Config) -> None: ...

Long settings may stand in a file of the same name in the folder `settings` beside it, from which the recipe imports
them: `from settings.demo import SCALES, Config`.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from smolforge.config import from_plain, set_paths
from smolforge.errors import ConfigError
from smolforge.store import Store

PACKAGE = Path(__file__).resolve().parent
SHIPPED = (PACKAGE if (PACKAGE / "recipes").is_dir() else PACKAGE.parent) / "recipes"
"""Inside the package where a wheel was installed, beside it in a checkout."""


@dataclass(frozen=True)
class Recipe:
    """A recipe file, loaded."""

    name: str
    path: Path
    scales: Mapping[str, Any]
    function: Callable[[Store, Any], None]

    @property
    def summary(self) -> str:
        """First line of the recipe's docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]

    def configured(self, scale: str | None, settings: Sequence[str], saved: Path | None = None) -> Any:
        """The config of `scale` (or one saved by an earlier run) with `path=value` settings applied."""
        if saved is not None:
            cfg = from_plain(type(next(iter(self.scales.values()))), _saved_config(saved))
        elif scale is None:
            cfg = next(iter(self.scales.values()))
        elif scale in self.scales:
            cfg = self.scales[scale]
        else:
            raise ConfigError(
                f"`{self.name}` has no scale `{scale}`", fix=f"use one of {', '.join(self.scales)}"
            )
        return set_paths(cfg, [_setting(text) for text in settings])


def _setting(text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(
            f"`--set {text}` has no value" if text.strip() else "`--set` is empty",
            fix=f"write `--set {text.strip() or 'path'}=value`, without spaces around `=`",
        )
    return path.strip(), value.strip()


def find_recipes() -> dict[str, Path]:
    """Every recipe at hand: those in `./recipes` first, then those shipped."""
    found: dict[str, Path] = {}
    for folder in (Path.cwd() / "recipes", SHIPPED):
        for path in sorted(folder.glob("*.py")) if folder.is_dir() else []:
            found.setdefault(path.stem, path)
    return found


def load_recipe(name: str) -> Recipe:
    """The recipe called `name`, or in the file `name`."""
    path = Path(name) if name.endswith(".py") else find_recipes().get(name)
    if path is None or not path.is_file():
        known = ", ".join(find_recipes()) or "none"
        raise ConfigError(
            f"there is no recipe `{name}`", fix=f"known here: {known}; or give a path to a .py file"
        )
    try:
        with settings_beside(path):
            module = _executed(path, f"smolforge_recipe_{path.stem}")
    except (SyntaxError, ImportError, NameError, AttributeError, TypeError) as error:
        line = getattr(error, "lineno", None) or _line_in(path, error)
        raise ConfigError(
            f"the recipe cannot be loaded: {error}",
            where=f"{path}:{line}" if line else str(path),
            fix="mend the recipe",
        ) from error
    scales, function = getattr(module, "SCALES", None), getattr(module, "recipe", None)
    if not isinstance(scales, Mapping) or not scales or not callable(function):
        raise ConfigError(
            "this file is no recipe",
            where=str(path),
            fix="it needs `SCALES` (name → config) and `recipe(store, cfg)`",
        )
    return Recipe(path.stem, path, scales, function)


def _settings_file(recipe: Path) -> Path:
    return recipe.parent / "settings" / recipe.name


@contextmanager
def settings_beside(recipe: Path) -> Iterator[None]:
    """While a recipe loads, `settings.NAME` is the file of its own name beside it, whatever else was loaded before."""
    file, name = _settings_file(recipe), f"settings.{recipe.stem}"
    if not file.is_file():
        yield
        return
    folder = sha256(str(file.resolve()).encode()).hexdigest()[:8]
    hidden = {key: sys.modules.get(key) for key in ("settings", name)}
    sys.modules["settings"] = ModuleType("settings")
    sys.modules[name] = _executed(file, f"smolforge_settings_{recipe.stem}_{folder}")
    try:
        yield
    finally:
        for key, module in hidden.items():
            sys.modules.pop(key)
            if module is not None:
                sys.modules[key] = module


def _executed(path: Path, name: str) -> ModuleType:
    """The file as a module called `name`, which stays: types are looked up in it later."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def copy_recipe(like: str, name: str, folder: Path) -> list[Path]:
    """Write recipe `like`, and its settings where they stand apart, as recipe `name` into `folder`; the files written."""
    taken = load_recipe(like).path
    files = {folder / f"{name}.py": taken, _settings_file(folder / f"{name}.py"): _settings_file(taken)}
    for path in files:
        if path.exists():
            raise ConfigError("this recipe exists already", where=str(path), fix="choose another name")
    wanted = {path: source.read_text("utf-8") for path, source in files.items() if source.is_file()}
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(re.sub(rf"\bsettings\.{taken.stem}\b", f"settings.{name}", text), "utf-8")
    return list(wanted)


def _line_in(path: Path, error: BaseException) -> int | None:
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _saved_config(path: Path) -> Any:
    try:
        saved = json.loads(path.read_text("utf-8"))
        return saved["config"]
    except FileNotFoundError:
        raise ConfigError(
            "there is no saved config", where=str(path), fix="give a run's recipe.json"
        ) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ConfigError(
            f"this is no saved config: {error}", where=str(path), fix="give a run's recipe.json"
        ) from None
