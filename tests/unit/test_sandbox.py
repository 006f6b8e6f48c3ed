"""Hostile programs come to nothing, and honest ones pass, quickly."""

import os
import sys
import time

import pytest

from smolforge.evals.sandbox import Limits, run_programs

FAST = Limits(cpu_seconds=0.3, wall_seconds=1.5, memory_bytes=96 << 20)


def only(program, limits=FAST):
    return run_programs([program], limits).outcomes[0]


def test_an_honest_program_passes_with_its_output():
    outcome = only("import math\ndef f(x):\n    return x + 1\nassert f(1) == 2\nprint(math.floor(2.5))")
    assert (outcome.status, outcome.output) == ("passed", "2\n")


def test_outcomes_keep_their_order_and_do_not_touch_each_other():
    programs = [
        f"import builtins\nassert not hasattr(builtins, 'seen')\nbuiltins.seen = {i}\nprint({i})"
        for i in range(20)
    ]
    run = run_programs(programs, FAST, workers=3)
    assert [outcome.output for outcome in run.outcomes] == [f"{i}\n" for i in range(20)]
    assert run.isolation[0] == "limits"


@pytest.mark.parametrize(
    ("program", "status", "error"),
    [
        ("assert 1 == 2, 'no'", "failed", "AssertionError: no (line 1)"),
        ("x = (", "failed", "SyntaxError"),
        ("while True: pass", "time", "seconds"),
        ("import time\ntime.sleep(60)", "time", "seconds"),
        ("x = 'a' * (2 << 30)", "memory", "MiB"),
        ("x = []\nwhile True: x.append('a' * 10**7)", "memory", "MiB"),
        ("import sys\nsys.exit(0)", "exited", "early"),
        ("import os\nos._exit(0)", "exited", "early"),
        ("raise KeyboardInterrupt", "failed", "KeyboardInterrupt"),
        ("print('x' * 10**6)", "output", "bytes"),
        ("while True: print('x' * 1000)", "output", "bytes"),
        ("def f(): f()\nf()", "failed", "RecursionError"),
        ("input()", "failed", "EOFError"),
        ("import ctypes\nctypes.string_at(0)", "crashed", "SIGSEGV"),
        ("class E(Exception):\n def __str__(self): raise self\nraise E()", "failed", "E"),
        ("import sys\nsys.stdout = None\nsys.stderr = 3", "passed", ""),
        ("import signal\nsignal.signal(signal.SIGPROF, signal.SIG_IGN)\nwhile True: pass", None, ""),
        ("import os\nos.write(3, b'{\"status\": \"passed\", \"error\": \"\"}')\nos._exit(0)", "exited", "early"),
    ],
)  # fmt: skip
def test_every_bad_end_is_named(program, status, error):
    outcome = only(program)
    assert outcome.status == status if status else not outcome.ok
    assert error in outcome.error


linux = pytest.mark.skipif(sys.platform != "linux", reason="needs the walls that Linux has")


@linux
def test_a_fork_bomb_starts_no_process():
    outcome = only(
        "import os\ntry:\n    os.fork()\n    print('forked')\nexcept OSError:\n    print('refused')"
    )
    assert outcome.output == "refused\n"
    assert not only("import subprocess\nsubprocess.run(['true'])").ok


@linux
def test_nothing_is_written_and_nothing_read_outside_python(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden")
    target = tmp_path / "made.txt"
    programs = [
        f"open({str(target)!r}, 'w').write('x')",
        f"import os\nos.mkdir({str(target)!r})",
        f"import os\nos.unlink({str(secret)!r})",
        f"import os\nos.chmod({str(secret)!r}, 0)",
        f"import os\nos.truncate({str(secret)!r}, 0)",
        "open('here.txt', 'w').write('x' * 10)",
        f"assert open({str(secret)!r}).read() != 'hidden'",
        "print(open('/etc/passwd').read())",
    ]
    run = run_programs(programs, FAST)
    assert not any(outcome.ok for outcome in run.outcomes)
    assert secret.read_text() == "hidden" and not target.exists()
    assert "seccomp" in run.isolation or "landlock" in run.isolation


@linux
def test_the_network_is_out_of_reach():
    program = "import socket\ns = socket.create_connection(('127.0.0.1', 9), timeout=1)"
    assert "PermissionError" in only(program).error or "OSError" in only(program).error


@linux
def test_other_processes_are_safe():
    assert not only(f"import os\nos.kill({os.getpid()}, 9)").ok
    assert not only("import os\nos.kill(os.getppid(), 9)").ok


@linux
@pytest.mark.parametrize(
    "command", ["F_SETOWN, os.getppid()", "F_SETSIG, 9", "F_SETFL, os.O_ASYNC", "F_NOTIFY, 1", "15, bytes(8)"]
)
def test_the_kernel_sends_no_signals_for_a_program(command: str):
    """A descriptor's owner gets a signal of its choice when something is written: any process of the same user."""
    command = command if command[0].isdigit() else f"fcntl.{command}"
    outcome = only(f"import fcntl, os\nfcntl.fcntl(1, {command})")
    assert not outcome.ok and "PermissionError" in outcome.error


@linux
def test_descriptors_can_still_be_copied_and_asked():
    program = "import fcntl, os\nprint(fcntl.fcntl(1, fcntl.F_GETFL) >= 0, fcntl.fcntl(1, fcntl.F_GETFD) >= 0)\nos.dup(1)"
    assert only(program).output == "True True\n"


def test_the_environment_is_empty(monkeypatch):
    monkeypatch.setenv("SMOL_SECRET", "hidden")
    outcome = only(
        "import os\nprint(sorted(os.environ))\nprint(os.getenv('SMOL_SECRET'), os.listdir('.') if 0 else '')"
    )
    assert outcome.output.startswith("[]\nNone")


def test_outcomes_repeat_exactly():
    program = "import random\nprint(set('abcdefgh'), random.random(), object())"
    first, second = only(program), only(program)
    assert first == second and first.ok


def test_hundreds_of_small_programs_take_seconds():
    programs = [f"def f(n):\n    return n * 2\nassert f({i}) == {i * 2}" for i in range(300)]
    started = time.monotonic()
    run = run_programs(programs, FAST)
    assert all(outcome.ok for outcome in run.outcomes)
    assert time.monotonic() - started < 10
