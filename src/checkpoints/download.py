"""Fetches published weights: resumed where it stopped, verified before use, never half a file under its name."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from tqdm import tqdm

from src.checkpoints.catalogue import (
    CATALOGUE,
    FIRST_SEEN,
    checked_weights,
    expected_sha256,
    find_weights,
    hash_source,
    missing_sentence,
    target_path,
)
from src.checkpoints.entries import WeightsEntry
from src.checkpoints.files import atomic_path, sha256_of
from src.settings.errors import UserError

TIMEOUT = (10.0, 60.0)
"""To connect, and between two pieces, seconds."""
PIECE = 1 << 20
"""Bytes read at a time."""
PLAIN = {"Accept-Encoding": "identity"}
"""Asks for the file's own bytes: a server that packs its answer would count others."""


def fetch_weights(name: str, weights_dir: str | None, *, progress: bool = True) -> Path:
    """The verified file of an entry, from this machine or else from its published address.

    The licence is stated before the first byte. What an interrupted download left is continued by the next one. An entry
    without a published hash is held to the one with which it was first fetched.

    Raises:
        UserError: the entry is unknown, has another hash than expected, or cannot be fetched or kept.
    """
    if name not in CATALOGUE:
        raise UserError(f"{name!r} is no weights file of the catalogue; `python -m src.weights list` shows them")
    path = find_weights(name, weights_dir)
    if path is not None:
        return checked_weights(name, path)
    entry, target = CATALOGUE[name], target_path(name, weights_dir)
    if not entry.url.endswith(entry.file):
        raise UserError(missing_sentence(name, weights_dir))
    print(_announcement(entry, target), file=sys.stderr, flush=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(target):
            if not target.is_file():  # another process may have fetched it meanwhile
                _fetch(name, target, progress)
    except requests.RequestException as error:
        raise UserError(_failure(entry, target, _reason(error))) from None
    except OSError as error:
        raise UserError(_failure(entry, target, error.strerror or str(error))) from None
    return checked_weights(name, target)


def _announcement(entry: WeightsEntry, target: Path) -> str:
    size = f", {entry.bytes / 1e6:.0f} MB" if entry.bytes else ""
    return f"fetching {entry.url}{size} -> {target}; its licence: {entry.licence}"


def _failure(entry: WeightsEntry, target: Path, reason: str) -> str:
    digest = f"SHA-256 {entry.sha256}, {entry.sha256_source}" if entry.sha256 else "no SHA-256 is published"
    return (
        f"{entry.file} cannot be fetched from {entry.url} ({reason}); try again, or put the file at {target} by hand "
        f"({digest}), or give a file that you have by its path"
    )


def _fetch(name: str, target: Path, progress: bool) -> None:
    entry, part = CATALOGUE[name], target.with_name(f"{target.name}.part")
    _receive(entry, part, progress)
    found, expected = sha256_of(part), expected_sha256(name, target)
    if expected is not None and not found.startswith(expected):
        _discard(part)
        raise UserError(
            f"{entry.file}: what {entry.url} sent for {target} has the SHA-256 {found}, expected {expected} "
            f"({hash_source(entry)}); it was removed: try again, and if it stays so, {_way_out(entry, target)}"
        )
    if expected is None:
        with atomic_path(target.with_name(target.name + FIRST_SEEN)) as first_seen:
            first_seen.write_text(f"{found}\n")
        print(f"{entry.file}: no hash is published to compare with; from now on {found} is expected", file=sys.stderr)
    os.replace(part, target)
    _discard(part)


def _way_out(entry: WeightsEntry, target: Path) -> str:
    if entry.sha256 is not None:
        return "do not use that source"
    return f"remove {target}{FIRST_SEEN} only if you know that its authors changed the file"


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _mark(part).unlink(missing_ok=True)


def _receive(entry: WeightsEntry, part: Path, progress: bool) -> None:
    """Bring `part` to the whole length; what it holds already is kept if the server's file is still the same."""
    held = part.stat().st_size if part.is_file() else 0
    if held and held == entry.bytes:
        return
    with _ask(entry.url, part, held) as answer:
        answer.raise_for_status()
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise requests.HTTPError("a web page came instead of the file")
        if answer.status_code != requests.codes.partial_content:
            # The old bytes go before the new mark comes: the two must never stand together.
            _discard(part)
            _keep_mark(part, answer)
            held = 0
        length = held + int(answer.headers["Content-Length"]) if "Content-Length" in answer.headers else entry.bytes
        _append(answer, part, _bar(entry, held, length, progress))
    if length is not None and part.stat().st_size != length:
        raise requests.ConnectionError(f"the connection ended after {part.stat().st_size} of {length} bytes")


def _append(answer: requests.Response, part: Path, bar: "tqdm[Any]") -> None:
    with part.open("ab") as handle, bar:
        for piece in answer.iter_content(PIECE):
            handle.write(piece)
            bar.update(len(piece))


def _bar(entry: WeightsEntry, held: int, length: int | None, progress: bool) -> "tqdm[Any]":
    shown = None if progress else True  # None: only on a terminal
    return tqdm(total=length, initial=held, desc=entry.file, unit="B", unit_scale=True, disable=shown)


def _ask(url: str, part: Path, held: int) -> requests.Response:
    """An answer with the rest of the file, or with the whole where what is held cannot be continued."""
    mark = _mark(part).read_text() if held and _mark(part).is_file() else ""
    if mark:
        resume = PLAIN | {"Range": f"bytes={held}-", "If-Range": mark}
        answer = requests.get(url, stream=True, timeout=TIMEOUT, headers=resume)
        if answer.status_code != requests.codes.requested_range_not_satisfiable and _fits(answer, held):
            return answer
        answer.close()
    answer = requests.get(url, stream=True, timeout=TIMEOUT, headers=PLAIN)
    if answer.status_code == requests.codes.partial_content:
        answer.close()
        raise requests.HTTPError("the server answered with a piece where the whole was asked for")
    return answer


def _fits(answer: requests.Response, held: int) -> bool:
    """Whether an answer, if it is a piece, is the one that follows what is held, up to the end."""
    if answer.status_code != requests.codes.partial_content:
        return True
    piece = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
    if piece is None or int(piece[1]) != held:
        return False
    return piece[3] == "*" or int(piece[2]) + 1 == int(piece[3])


def _mark(part: Path) -> Path:
    """Keeps what tells one version of the server's file from another."""
    return part.with_name(part.name + ".mark")


def _keep_mark(part: Path, answer: requests.Response) -> None:
    mark = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
    if mark is not None and not mark.startswith("W/"):
        with atomic_path(_mark(part)) as path:
            path.write_text(mark)


@contextmanager
def _one_at_a_time(target: Path) -> Iterator[None]:
    """Let processes that want the same file wait for each other; the lock ends with the process that holds it."""
    import fcntl

    with target.with_name(f".{target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{target.name}: waiting for another process that fetches it", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.ConnectTimeout | requests.ReadTimeout):
        return "the server did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "Read timed out" in str(error):
        return "the connection was cut; what came is kept for the next try"
    if isinstance(error, requests.ConnectionError) and "bytes" not in str(error):
        return "no connection"
    return (str(error).splitlines() or [type(error).__name__])[0]
