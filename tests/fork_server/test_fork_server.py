"""A command of the fork server is to its parent and to itself what a fresh interpreter would be."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.fork_server.executable import fork_server

COMMANDS = {
    "shown": """
import json, os, sys
print(json.dumps({
    "words": sys.argv[1:], "file": sys.argv[0], "python": sys.executable, "path": sys.path[0], "folder": os.getcwd(),
    "environment": dict(os.environ), "input": sys.stdin.read(), "name": __name__, "module": __spec__.name,
    "main": sys.modules["__main__"].__dict__ is globals(), "imported": "decimal" in sys.modules,
}))
print("to stderr", file=sys.stderr)
""",
    "ended": "import sys, atexit\natexit.register(print, 'at the end')\nsys.exit(eval(sys.argv[1]))",
    "raised": "def f():\n    raise eval(__import__('sys').argv[1])\nf()",
    "killed": "import os, sys\nos.kill(os.getpid(), int(sys.argv[1]))",
    "nested": """
import subprocess, sys
done = subprocess.run([sys.executable, *sys.argv[1:]], capture_output=True, text=True)
print(sys.executable, done.returncode, done.stdout)
""",
    "waiting": """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
print(os.getpid(), flush=True)
time.sleep(60)
""",
}


@pytest.fixture(scope="module")
def python() -> Iterator[str]:
    """A server of its own, whose imports are quick."""
    with fork_server(["decimal", "no_such_module"]) as path:
        yield str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the modules of `COMMANDS` lie."""
    made = tmp_path_factory.mktemp("commands")
    for name, text in COMMANDS.items():
        (made / f"{name}.py").write_text(text)
    return made


def ran(
    python: str, folder: Path, *words: str, timeout: float = 120, **options: object
) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, *words], cwd=folder, capture_output=True, text=True, timeout=timeout, **options)


def test_a_command_sees_what_it_was_given(python: str, folder: Path) -> None:
    environment = {"LANG": "C.UTF-8", "NAME": "ä\udcff"}
    done = ran(python, folder, "-m", "shown", "a b", "", env=environment, input="typed")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "to stderr\n"
    seen = json.loads(done.stdout)
    assert {name: seen["environment"][name] for name in environment} == environment
    assert "HOME" not in seen["environment"]
    expected = {"words": ["a b", ""], "file": str(folder / "shown.py"), "python": python, "path": str(folder)}
    expected |= {"folder": str(folder), "input": "typed", "name": "__main__", "module": "shown"}
    assert {name: seen[name] for name in expected} == expected
    assert seen["main"]
    assert seen["imported"]


@pytest.mark.parametrize(
    "words",
    [
        *(["ended", code] for code in ("None", "0", "3", "-1", "'a sentence'")),
        *(["raised", error] for error in ("ValueError('no')", "KeyboardInterrupt()")),
        *(["killed", str(int(number))] for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGABRT)),
        ["no_such_command"],
    ],
    ids=" ".join,
)
def test_it_ends_as_in_a_fresh_interpreter(python: str, folder: Path, words: list[str]) -> None:
    forked, fresh = (ran(program, folder, "-m", *words) for program in (python, sys.executable))
    assert (forked.returncode, forked.stdout) == (fresh.returncode, fresh.stdout)
    last = [done.stderr.splitlines()[-1:] for done in (forked, fresh)]
    if words != ["no_such_command"]:  # which names the interpreter
        assert last[0] == last[1]


def test_its_own_processes_come_from_the_server_too(python: str, folder: Path) -> None:
    done = ran(python, folder, "-m", "nested", "-u", "-m", "ended", "4")
    assert done.stdout.split() == [python, "4", "at", "the", "end"]


def test_what_is_no_module_gets_a_real_interpreter(python: str, folder: Path) -> None:
    assert ran(python, folder, "-c", "import sys; print(sys.executable)").stdout.strip() == sys.executable
    assert ran(python, folder, "ended.py", "5").returncode == 5
    assert "Argument expected for the -m option" in ran(python, folder, "-m").stderr


def gone(process: int) -> bool:
    """Whether a process has ended within ten seconds."""
    for _ in range(200):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@contextmanager
def waiting(python: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A command that waits, and the number of the process that does."""
    with subprocess.Popen([python, "-m", "waiting"], cwd=folder, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        yield client, int(client.stdout.readline())


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 75), (signal.SIGUSR2, -signal.SIGUSR2)])
def test_signals_reach_it(python: str, folder: Path, sent: signal.Signals, status: int) -> None:
    with waiting(python, folder) as (client, process):
        client.send_signal(sent)
        assert client.wait(30) == status
    assert gone(process)


def test_it_ends_with_its_client(python: str, folder: Path) -> None:
    with waiting(python, folder) as (client, process):
        client.kill()
    assert gone(process)


def test_all_end_with_the_server(folder: Path) -> None:
    with ExitStack() as started:
        with fork_server([]) as path:
            client, process = started.enter_context(waiting(str(path), folder))
        assert client.wait(30) == 1
    assert gone(process)


def test_without_its_server_a_command_says_so_at_once(folder: Path) -> None:
    with fork_server([]) as path:
        with waiting(str(path), folder) as (client, process):
            os.killpg(os.getpgid(process), signal.SIGKILL)  # of which the server is the first
            assert client.wait(30) == 1
        done = ran(str(path), folder, "-m", "ended", "0", timeout=10)
    assert (done.returncode, done.stderr) == (1, "the fork server has gone\n")


def test_the_suites_own_is_warm_and_has_one_thread(forked_python: str, root: Path) -> None:
    checked = (
        "import sys, threading\nassert 'tests.fork_server.warm_up' in sys.modules\nassert threading.active_count() == 1"
    )
    done = ran(forked_python, root, "-m", "timeit", "-n", "1", "-r", "1", checked)
    assert done.returncode == 0, done.stderr
