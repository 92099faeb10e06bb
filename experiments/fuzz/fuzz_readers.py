"""Feeds random files to the readers of files that others made, for a bounded time.

    python -m experiments.fuzz.fuzz_readers face -max_total_time=120

The names are those of experiments/fuzz/readers.py; atheris (`pip install atheris`) steers the bytes by what they reach, and
further arguments go to libFuzzer. A reader may give a value or raise UserError; another exception, a gigabyte at once or a
minute are findings, whose input is kept as `crash-*` (`oom-*`, `timeout-*`) in the working directory. It begins with the
files in `corpus/<name>`, where there are any.
"""

import sys
from pathlib import Path

MEMORY_MB = 1024
SECONDS = 60
STEERING = ("src", "PIL", "zipfile", "json")
"""Packages whose branches steer the bytes; all of torch would take minutes to prepare."""
COMPILED = ("src.compiled", "src.data.png", "src.degradation", "src.faces")
"""Modules that Numba compiles, which must stay as they are."""


def main(arguments: list[str]) -> None:
    """Fuzz the reader that the first argument names.

    Raises:
        SystemExit: there is no such reader; else libFuzzer ends the process.
    """
    import atheris

    with atheris.instrument_imports(include=list(STEERING), exclude=list(COMPILED)):
        from experiments.fuzz.readers import READERS, is_refused_or_read

    if not arguments or arguments[0] not in READERS:
        raise SystemExit(f"name a reader: {', '.join(READERS)}")
    name, further = arguments[0], arguments[1:]
    corpus = Path("corpus") / name
    known = [str(corpus)] if corpus.is_dir() else []
    options = [f"-rss_limit_mb={4 * MEMORY_MB}", f"-malloc_limit_mb={MEMORY_MB}", f"-timeout={SECONDS}"]

    def one_input(content: bytes) -> None:
        is_refused_or_read(name, content)

    atheris.Setup([sys.argv[0], *options, *further, *known], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
