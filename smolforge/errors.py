"""Every error a user can cause, in one tree.

    SmolError
    ├── ConfigError    a setting is unknown, of the wrong type, or impossible
    ├── InputError     a file, folder or record that was given cannot be used
    ├── StageError     a stage could not do its work (loss diverged, disk full, port taken)
    ├── StoreError     the lab folder is damaged or somebody else holds it
    └── MissingExtra   an optional package or program is not installed

Each carries what happened, where, and what to do next; `smol` prints these three and exits 1.
A traceback therefore always means a defect of ours, never a mistake of the user's.
"""

from __future__ import annotations


class SmolError(Exception):
    """Base of all errors shown to users without a traceback."""

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  next:  {self.fix}")
        return "\n".join(lines)


class ConfigError(SmolError):
    """A setting is unknown, of the wrong type, or impossible."""


class InputError(SmolError):
    """Something the user gave us to read cannot be used."""


class StageError(SmolError):
    """A stage could not finish; what was finished before it is kept."""


class StoreError(SmolError):
    """The lab folder is damaged, missing, or in use."""


class MissingExtra(SmolError):
    """An optional package or program is needed for what was asked."""


def out_of_memory(error: BaseException) -> StageError | None:
    """What to tell the user where the error means that memory is full; PyTorch says so on the CPU in its message alone."""
    text = str(error)
    signs = ("out of memory", "DefaultCPUAllocator", "allocate memory")
    if not isinstance(error, MemoryError) and not any(sign in text for sign in signs):
        return None
    return StageError(
        "memory is full",
        where=(text.strip().splitlines() or [type(error).__name__])[0][:200],
        fix="end other programs, or take a smaller model; where a model trains: fewer --micro-tokens, or --recompute;"
        " neither changes what is learned",
    )


def system_error(error: OSError) -> SmolError:
    """What the system refused, and where: a file or folder that cannot be read or written."""
    what = (error.strerror or str(error) or type(error).__name__).lower()
    return SmolError(
        f"the system refuses: {what}",
        where=str(error.filename) if error.filename else "",
        fix="check that the place is there, that it may be read or written, and that the disk has room",
    )
