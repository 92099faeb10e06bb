"""Compilation of the renderer's loops to machine code, with a cache that any edit of the renderer invalidates."""

import hashlib
import inspect
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def _source_digest() -> str:
    # Numba compares only the file of the cached function, not the files of the functions that it calls.
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _cache_folder() -> Path | None:
    bases = [Path(__file__).parent / "__pycache__"]
    if numba.config.CACHE_DIR:
        bases.insert(0, Path(numba.config.CACHE_DIR))
    if "HOME" in os.environ:
        bases.append(Path(os.environ["HOME"]) / ".cache" / "numba")
    name = f"faces-{_source_digest()}"
    return next((base / name for base in bases if _writable(base / name)), None)


_FOLDER = _cache_folder()


def inline(function: Function) -> Function:
    """Compile a function that is called from kernels only."""
    # Run-time type checkers wrap functions from the inside; Numba needs the plain one.
    return numba.njit(error_model="numpy")(inspect.unwrap(function))


def kernel(function: Function) -> Function:
    """Compile a function that Python calls; the machine code is cached on disk where a folder can be written."""
    plain = inspect.unwrap(function)
    if _FOLDER is None:
        return numba.njit(error_model="numpy", nogil=True)(plain)
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_FOLDER)
    try:
        return numba.njit(error_model="numpy", nogil=True, cache=True)(plain)
    finally:
        numba.config.CACHE_DIR = before
