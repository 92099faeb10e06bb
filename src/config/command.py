"""What every command shares: one sentence instead of a traceback."""

import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from src.settings.errors import UserError
from src.settings.printable import printable

BROKEN_PIPE = 141
"""Exit status of a process that ends because nobody reads its output (128 + SIGPIPE)."""
P = ParamSpec("P")
R = TypeVar("R")


def friendly_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Print a `UserError` as one line on stderr and exit with status 2; end quietly where a pipe takes no more."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            result = function(*args, **kwargs)
            sys.stdout.flush()  # a closed pipe shows here, not at the end of Python
            return result
        except UserError as error:
            print(f"error: {printable(str(error))}", file=sys.stderr, flush=True)
            raise SystemExit(2) from None
        except BrokenPipeError:
            # Python flushes stdout once more at its end, which must not fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(BROKEN_PIPE) from None

    return wrapped
