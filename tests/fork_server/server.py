"""Runs modules as commands, each in a fork of one process that has imported the heavy packages once.

Run: python -m tests.fork_server.server <descriptor of a listening socket> <stand-in interpreter> <module to import>...

Ends, with everything that it started, when its standard input is closed.
"""

import atexit
import contextlib
import importlib
import marshal
import os
import runpy
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from typing import NamedTuple


class Command(NamedTuple):
    """What a client was started with: arguments of the interpreter, environment, working folder."""

    arguments: list[str]
    """`-m <module> ...`, maybe after `-u`."""
    environment: dict[str, str]
    folder: str


def serve(listener: socket.socket, modules: Sequence[str]) -> socket.socket:
    """Fork for every client; returns in the forks only. What the first one needs is imported then."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    while True:
        if sys.stdin in select.select([listener, sys.stdin], [], [])[0]:
            os.killpg(0, signal.SIGKILL)
        link, _ = listener.accept()
        _import(modules)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            return link
        link.close()


def _import(modules: Sequence[str]) -> None:
    for name in modules:
        # The command that needs it fails by itself, and says why.
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def request_of(link: socket.socket) -> tuple[Command, list[int]]:
    """The command of a client, and its standard input, output and error."""
    head, descriptors, *_ = socket.recv_fds(link, 4, 3)
    return Command(*marshal.loads(link.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))), descriptors


def attend(link: socket.socket, child: int) -> None:
    """Pass on the signals of the client to `child`, and its exit status to the client; ends this process."""
    threading.Thread(target=_pass_on, args=(link, child), daemon=True).start()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(BrokenPipeError):  # the client was killed, and therefore the child
        link.send(status.to_bytes(4, "big", signed=True))
    os._exit(0)


def _pass_on(link: socket.socket, child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        while received := link.recv(1):
            os.kill(child, received[0])
        os.kill(child, signal.SIGKILL)


def become(command: Command, executable: str, descriptors: Sequence[int]) -> str:
    """Make this process what a fresh interpreter would be; returns the module that it is to run."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(command.folder)
    os.environ.clear()
    os.environ.update(command.environment)
    _forget_drawn_numbers()
    is_unbuffered = command.arguments[0] == "-u"
    module, *words = command.arguments[2 if is_unbuffered else 1 :]
    if is_unbuffered or os.environ.get("PYTHONUNBUFFERED"):
        sys.stdout.reconfigure(line_buffering=True)
    sys.executable, sys.path[0] = executable, command.folder
    sys.argv = sys.orig_argv = [executable, *words]
    return module


def _forget_drawn_numbers() -> None:
    """Python's own generator is seeded by every fork, NumPy's is not."""
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


class Ending:
    """How this process ends: as an interpreter does, but for the seconds that it takes to undo all imports."""

    def __init__(self) -> None:
        self._status = 0
        atexit.register(self._end)  # called after all that is registered later

    def run(self, module: str) -> None:
        """Run a module as the main program."""
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            self._status = end.code & 0xFF if isinstance(end.code, int) else int(end.code is not None)
            raise
        except BaseException as error:
            self._status = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
            raise

    def _end(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        if self._status < 0:
            signal.signal(-self._status, signal.SIG_DFL)
            os.kill(os.getpid(), -self._status)
        os._exit(self._status)


def main() -> None:
    """In the server and the forks that attend to clients this does not return; in the others it is the command."""
    ending = Ending()
    descriptor, executable, *modules = sys.argv[1:]
    link = serve(socket.socket(fileno=int(descriptor)), modules)
    command, descriptors = request_of(link)
    if child := os.fork():
        attend(link, child)
    link.close()
    ending.run(become(command, executable, descriptors))


if __name__ == "__main__":
    main()
