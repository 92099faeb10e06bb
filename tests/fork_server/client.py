"""Stands in for the interpreter: `server` runs the command, and this process ends as that does.

Run: python -S -E client.py <socket> <interpreter> <arguments of the interpreter>...

Only modules are run by the server (`-m`, also `-u -m`); for everything else this becomes the interpreter. A command has
the process number of a fork, not the one that its parent knows.
"""

import marshal
import os
import signal
import socket
import sys

COMPARE_NUMBERS = ("submitit.local._local",)
"""Modules that expect their process number to be the one that their parent knows."""
FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def main() -> None:
    """Does not return."""
    address, interpreter, *arguments = sys.argv[1:]
    if not _is_for_the_server(arguments):
        os.execv(interpreter, [interpreter, *arguments])
    try:
        answer = _answer(address, arguments)
    except OSError:  # nobody listens, or whoever did ended meanwhile
        answer = b""
    if not answer:
        sys.exit("the fork server has gone")
    _end(int.from_bytes(answer, "big", signed=True))


def _is_for_the_server(arguments: list[str]) -> bool:
    match arguments:
        case ["-m", module, *_] | ["-u", "-m", module, *_]:
            return module not in COMPARE_NUMBERS
    return False


def _answer(address: str, arguments: list[str]) -> bytes:
    """The exit status as the server sends it; nothing if it ends before."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(address)
    request = marshal.dumps((arguments, dict(os.environ), os.getcwd()))
    socket.send_fds(link, [len(request).to_bytes(4, "big")], [0, 1, 2])
    link.sendall(request)
    for number in FORWARDED:
        signal.signal(number, lambda received, _: link.send(bytes([received])))
    return link.recv(4)


def _end(status: int) -> None:
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    main()
