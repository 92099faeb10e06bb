"""Compilation of loops to machine code, with a cache that any edit of the function's package invalidates."""

import hashlib
import inspect
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

_CONFIG: Any = numba.config
_JIT: Any = numba.njit

Function = TypeVar("Function", bound=Callable[..., Any])


def inline(function: Function) -> Function:
    """Compile a function that is called from kernels only."""
    return _compile(function)


def kernel(function: Function) -> Function:
    """Compile a function that Python calls; the machine code is cached on disk where a folder can be written."""
    return _cached(function)


def reassociating_kernel(function: Function) -> Function:
    """As `kernel`; sums may be taken in another order and with fused multiply-add, so that they become vector code."""
    return _cached(function, fastmath={"reassoc", "contract", "nsz"})


def _cached(function: Function, **options: Any) -> Function:
    folder = cache_folder(Path(inspect.getfile(inspect.unwrap(function))).parent)
    if folder is None:
        return _compile(function, nogil=True, **options)
    before = _CONFIG.CACHE_DIR
    _CONFIG.CACHE_DIR = str(folder)
    try:
        return _compile(function, nogil=True, cache=True, **options)
    finally:
        _CONFIG.CACHE_DIR = before


def _compile(function: Any, **options: Any) -> Any:
    # Run-time type checkers wrap functions from the inside; Numba needs the plain one.
    return _JIT(error_model="numpy", **options)(inspect.unwrap(function))


@cache
def cache_folder(package: Path) -> Path | None:
    """Where machine code of a package's functions is kept; None if no folder can be written."""
    bases = [package / "__pycache__"]
    if _CONFIG.CACHE_DIR:
        bases.insert(0, Path(_CONFIG.CACHE_DIR))
    if "HOME" in os.environ:
        bases.append(Path(os.environ["HOME"]) / ".cache" / "numba")
    name = f"{package.name}-{_source_digest(package)}"
    return next((base / name for base in bases if _writable(base / name)), None)


def _source_digest(package: Path) -> str:
    # Numba compares only the file of the cached function, not the files of the functions that it calls.
    digest = hashlib.sha256(numba.__version__.encode())
    for path in [Path(__file__), *sorted(package.glob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
