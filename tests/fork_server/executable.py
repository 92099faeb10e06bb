"""A fork server, and the program that stands in for the interpreter."""

import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def fork_server(modules: Sequence[str] = ("tests.fork_server.warm_up",)) -> Iterator[Path]:
    """The path of a program to use like `sys.executable`, whose processes find `modules` imported, on one thread each.

    The modules are imported when the first process starts. With the block, all of them end.
    """
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as listener:
        executable = _stand_in(Path(name))
        listener.bind(str(Path(name) / "socket"))
        listener.listen(64)
        words = ["-m", "tests.fork_server.server", str(listener.fileno()), str(executable), *modules]
        server = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        listener.close()  # a command that comes after the server's death shall not wait for it
        try:
            yield executable
        finally:
            server.communicate()


def _stand_in(folder: Path) -> Path:
    path = folder / "python"
    client = [sys.executable, "-S", "-E", str(Path(__file__).with_name("client.py")), str(folder / "socket")]
    path.write_text(f'#!/bin/sh\nexec {shlex.join([*client, sys.executable])} "$@"\n')
    path.chmod(0o755)
    return path
