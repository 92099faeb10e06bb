"""Compilation of the renderer's loops to machine code, with a cache that any edit of the renderer invalidates."""

import hashlib
import inspect
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

_CONFIG: Any = numba.config
_JIT: Any = numba.njit

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
    if _CONFIG.CACHE_DIR:
        bases.insert(0, Path(_CONFIG.CACHE_DIR))
    if "HOME" in os.environ:
        bases.append(Path(os.environ["HOME"]) / ".cache" / "numba")
    name = f"faces-{_source_digest()}"
    return next((base / name for base in bases if _writable(base / name)), None)


_FOLDER = _cache_folder()


def _compile(function: Any, **options: bool) -> Any:
    # Run-time type checkers wrap functions from the inside; Numba needs the plain one.
    return _JIT(error_model="numpy", **options)(inspect.unwrap(function))


def inline(function: Function) -> Function:
    """Compile a function that is called from kernels only."""
    return _compile(function)


def kernel(function: Function) -> Function:
    """Compile a function that Python calls; the machine code is cached on disk where a folder can be written."""
    if _FOLDER is None:
        return _compile(function, nogil=True)
    before = _CONFIG.CACHE_DIR
    _CONFIG.CACHE_DIR = str(_FOLDER)
    try:
        return _compile(function, nogil=True, cache=True)
    finally:
        _CONFIG.CACHE_DIR = before
