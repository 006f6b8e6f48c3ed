"""Runs programs that nobody has read; started by `sandbox.py` as its own process, never imported.

Standard library only: it runs without site packages. It reads one JSON request on stdin, shuts itself
in as far as this system lets it (namespaces, Landlock), then forks once for each program; the child
adds resource limits and a list of allowed system calls (seccomp) before it runs the program. One line
of JSON a program goes to stdout, after a first line that names the isolation in force.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import platform
import random
import resource
import select
import signal
import struct
import sys
import time
from typing import Any

# Loaded once, before the walls go up, so that programs find them without reading files.
LOADED_BEFOREHAND = [
    "bisect",
    "collections",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "io",
    "itertools",
    "math",
    "operator",
    "queue",
    "re",
    "statistics",
    "string",
    "textwrap",
    "traceback",
    "typing",
]

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
RESULT_FD = 3
ERROR_CHARACTERS = 300

# System calls a program may make: memory, time, reading files, writing to what is already open.
# Everything else (new files, sockets, processes, signals to others, tracing) fails with EPERM.
ALLOWED_CALLS: dict[str, Any] = {
    "x86_64": {
        "audit_arch": 0xC000003E,
        "openat": 257,
        "fcntl": 72,
        "calls": (
            0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 17, 19, 20, 21, 23, 24, 25, 28, 32, 33, 35, 39, 60, 63,
            78, 79, 89, 96, 97, 98, 99, 100, 102, 104, 107, 108, 110, 131, 186, 201, 202, 204, 217, 218, 219,
            228, 229, 230, 231, 262, 267, 269, 270, 271, 273, 292, 318, 332, 334, 439,
        ),
    },
    "aarch64": {
        "audit_arch": 0xC00000B7,
        "openat": 56,
        "fcntl": 25,
        "calls": (
            17, 23, 24, 48, 57, 61, 62, 63, 64, 65, 66, 67, 72, 73, 78, 79, 80, 93, 94, 96, 98, 99, 101, 113,
            114, 115, 123, 124, 128, 132, 135, 139, 153, 160, 165, 169, 172, 173, 174, 175, 176, 177, 178, 179, 214,
            215, 216, 222, 226, 233, 278, 291, 293, 439,
        ),
    },
}  # fmt: skip
# Of fcntl, what copies a descriptor or tells of it: F_SETOWN, F_SETSIG and O_ASYNC would have the kernel send signals to others.
FCNTL_COMMANDS = (0, 1, 2, 3, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC
WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
ALLOW, DENY, KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # 1 is EPERM


def main():
    request = json.loads(sys.stdin.buffer.read())
    for name in LOADED_BEFOREHAND:
        importlib.import_module(name)
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    isolation = ["limits"]
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0:
            isolation.append("namespaces")
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 and restrict_files(libc):
            isolation.append("landlock")
    program_filter = seccomp_filter() if libc is not None else None
    if program_filter is not None and seccomp_works(libc, program_filter):
        isolation.append("seccomp")
    else:
        program_filter = None
    emit({"isolation": isolation})
    Pool(request, libc, program_filter).run()


def emit(record):
    os.write(1, json.dumps(record).encode() + b"\n")


# -- walls ---------------------------------------------------------------------------------------------


def restrict_files(libc):
    """Landlock: this process and its children may only read, and only Python's own files."""
    create, add_rule, restrict = 444, 445, 446
    version = libc.syscall(create, None, 0, 1)
    if version < 1:
        return False
    rights = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    handled = struct.pack("=Q", rights)
    ruleset = libc.syscall(create, handled, len(handled), 0)
    if ruleset < 0:
        return False
    read_file, read_dir = 1 << 2, 1 << 3
    for folder in readable_folders():
        folder_fd = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", read_file | read_dir, folder_fd)
        libc.syscall(add_rule, ruleset, 1, rule, 0)
        os.close(folder_fd)
    done = libc.syscall(restrict, ruleset, 0) == 0
    os.close(ruleset)
    return done


def readable_folders():
    """Python's standard library and the system's shared libraries."""
    found = [os.path.dirname(os.__file__), "/lib", "/lib64", "/usr/lib", "/usr/lib64"]  # noqa: PTH120
    return [folder for folder in found if os.path.isdir(folder)]  # noqa: PTH112


def seccomp_filter():
    """The program for the kernel's filter machine, or None on a processor without a table."""
    table = ALLOWED_CALLS.get(platform.machine())
    if table is None or sys.maxsize < 2**32:
        return None
    load, equal, any_bit, give = 0x20, 0x15, 0x45, 0x06
    calls = table["calls"]
    code = [
        (load, 0, 0, 4),
        (equal, 1, 0, table["audit_arch"]),
        (give, 0, 0, KILL),
        (load, 0, 0, 0),
        (equal, 0, 4, table["openat"]),
        (load, 0, 0, 32),  # third argument of openat: its flags
        (any_bit, 0, 1, WRITING_FLAGS),
        (give, 0, 0, DENY),
        (give, 0, 0, ALLOW),
        (equal, 0, len(FCNTL_COMMANDS) + 3, table["fcntl"]),
        (load, 0, 0, 24),  # second argument of fcntl: what to do
        *((equal, len(FCNTL_COMMANDS) - index, 0, what) for index, what in enumerate(FCNTL_COMMANDS)),
        (give, 0, 0, DENY),
        (give, 0, 0, ALLOW),
    ]
    code += [(equal, len(calls) - index, 0, call) for index, call in enumerate(calls)]
    code += [(give, 0, 0, DENY), (give, 0, 0, ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in code)


class FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def install_filter(libc, code):
    program = FilterProgram(len(code) // 8, code)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0) == 0


def seccomp_works(libc, code):
    """Try the filter in a child: a system may offer it and forbid it."""
    child = os.fork()
    if child == 0:
        works = install_filter(libc, code)
        try:
            os.sched_getscheduler(0)
            works = False
        except PermissionError:
            pass
        os._exit(0 if works else 1)
    return os.waitpid(child, 0)[1] == 0


def set_limits(request):
    cpu = int(request["cpu_seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (request["memory_bytes"], request["memory_bytes"]))
        resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, 8 << 20))
    signal.setitimer(signal.ITIMER_PROF, request["cpu_seconds"])


# -- one program ---------------------------------------------------------------------------------------


def child_main(request, program, libc, program_filter, output_fd, result_fd):
    """Never returns. Proof of a finished program is the token; exit status alone would trust `os._exit(0)`."""
    os.setsid()
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    empty_read, empty_write = os.pipe()
    os.close(empty_write)  # reading input ends at once
    for target, fd in ((0, empty_read), (1, output_fd), (2, output_fd), (RESULT_FD, result_fd)):
        os.dup2(fd, target, inheritable=False)
    os.closerange(RESULT_FD + 1, 256)
    sys.argv = ["program"]
    os.environ.clear()
    token = request["token"]
    random.seed(0)
    set_limits(request)
    if program_filter is not None and not install_filter(libc, program_filter):
        os._exit(3)
    result = run(program, request["memory_bytes"])
    result["token"] = token
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # the program may have replaced or closed them
        pass
    os.write(RESULT_FD, json.dumps(result).encode())
    os._exit(0)


def run(program, memory_bytes):
    """Run the text; anything at all may come out of it, `SystemExit` included."""
    try:
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
    except SystemExit as error:
        return {"status": "exited", "error": f"the program left early: {clip(error.code)}"}
    except MemoryError:
        return {"status": "memory", "error": f"more than {memory_bytes >> 20} MiB"}
    except BaseException as error:
        return {"status": "failed", "error": describe(error)}
    return {"status": "passed", "error": ""}


def describe(error):
    lines = [f.tb_lineno for f in walk(error.__traceback__) if f.tb_frame.f_code.co_filename == "<program>"]
    line = lines[-1] if lines else getattr(error, "lineno", None)
    where = f" (line {line})" if line else ""
    return (
        f"{type(error).__name__}: {clip(error)}{where}" if clip(error) else f"{type(error).__name__}{where}"
    )


def walk(trace):
    while trace is not None:
        yield trace
        trace = trace.tb_next


def clip(value):
    try:
        return str(value)[:ERROR_CHARACTERS]
    except BaseException:  # a __str__ of the program's own
        return ""


# -- all programs --------------------------------------------------------------------------------------


class Pool:
    """Keeps `workers` children busy, reads what they write, and ends those that overrun."""

    def __init__(self, request, libc, program_filter):
        self.request, self.libc, self.filter = request, libc, program_filter
        self.waiting = list(enumerate(request["programs"]))[::-1]
        self.running = {}
        self.poll = select.poll()
        self.by_fd = {}

    def run(self):
        while self.waiting or self.running:
            while self.waiting and len(self.running) < self.request["workers"]:
                self.start(*self.waiting.pop())
            for fd, _ in self.poll.poll(50):
                self.read(fd)
            now = time.monotonic()
            for pid, child in list(self.running.items()):
                if now > child["deadline"] or child["too_long"]:
                    child["overran"] = not child["too_long"]
                    self.kill(pid)
                if not child["fds"] or child["killed"]:
                    self.finish(pid)

    def start(self, index, program):
        output_read, output_write = os.pipe()
        result_read, result_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                child_main(self.request, program, self.libc, self.filter, output_write, result_write)
            finally:
                os._exit(4)
        os.close(output_write)
        os.close(result_write)
        self.running[pid] = {
            "index": index, "fds": {output_read, result_read}, "output": b"", "result": b"", "too_long": False,
            "overran": False, "killed": False, "deadline": time.monotonic() + self.request["wall_seconds"],
        }  # fmt: skip
        for fd, field in ((output_read, "output"), (result_read, "result")):
            self.by_fd[fd] = (pid, field)
            self.poll.register(fd, select.POLLIN | select.POLLHUP)

    def read(self, fd):
        pid, field = self.by_fd[fd]
        child = self.running[pid]
        data = os.read(fd, 65536)
        room = self.request["output_bytes"] - len(child[field])
        child[field] += data[: max(room, 0)]
        child["too_long"] = child["too_long"] or len(data) > room
        if not data:
            self.forget(fd)
            child["fds"].discard(fd)

    def forget(self, fd):
        self.poll.unregister(fd)
        os.close(fd)
        del self.by_fd[fd]

    def kill(self, pid):
        self.running[pid]["killed"] = True
        for send in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(pid, signal.SIGKILL)

    def finish(self, pid):
        child = self.running.pop(pid)
        for fd in list(child["fds"]):
            self.forget(fd)
        _, status = os.waitpid(pid, 0)
        verdict = self.judge(child, status)
        emit({"index": child["index"], "output": child["output"].decode("utf-8", "replace"), **verdict})

    def judge(self, child, status):
        if child["too_long"]:
            return {"status": "output", "error": f"more than {self.request['output_bytes']} bytes of output"}
        if child["overran"]:
            return {"status": "time", "error": f"more than {self.request['wall_seconds']} seconds"}
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            if name in ("SIGPROF", "SIGXCPU", "SIGKILL"):
                return {
                    "status": "time",
                    "error": f"more than {self.request['cpu_seconds']} seconds of processor",
                }
            return {"status": "crashed", "error": name}
        try:
            result = json.loads(child["result"])
            if isinstance(result, dict) and result.pop("token", None) == self.request["token"]:
                return {"status": str(result["status"]), "error": str(result["error"])}
        except (ValueError, KeyError, RecursionError):
            pass
        return {"status": "exited", "error": "the program left early"}


if __name__ == "__main__":
    main()
