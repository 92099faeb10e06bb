"""Calls in a process of their own, with a bound on memory and time that the system keeps."""

import multiprocessing
import resource
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from src.settings.errors import UserError

GIBIBYTE = 2**30


def outcome_within(
    read: Callable[..., Any], *arguments: Any, memory: int = GIBIBYTE, seconds: float = 20.0
) -> tuple[str, str]:
    """("value" or the name of the exception, its text) of a call that may take so much address space more than it has.

    ("killed", ...) if it was ended, by the system or because its time was up.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_bounded, args=(sender, memory, read, arguments))
    process.start()
    sender.close()
    try:
        found: tuple[str, str] = receiver.recv() if receiver.poll(seconds) else ("killed", f"not done in {seconds} s")
    except EOFError:
        found = ("killed", "the process ended without an answer")
    process.kill()
    process.join()
    return found


def _bounded(sender: Connection, memory: int, read: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    with open("/proc/self/statm") as statistics:
        used = int(statistics.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    try:
        read(*arguments)
    except UserError as error:
        sender.send(("UserError", str(error)))
    except BaseException:
        sender.send(("other", traceback.format_exc()))
    else:
        sender.send(("value", ""))
