"""Writing without half-written files, and hashes of files."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from src.settings.errors import UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


class UnwrittenFileError(UserError, OSError):
    """A file that cannot be written; an OSError too, so that a writer who knows what the file holds can say more."""

    def __init__(self, path: Path, error: OSError) -> None:
        """Of the file or folder `path`, because of `error`."""
        reason = str(error) if error.errno is None else os.strerror(error.errno)
        remedy = "look at its disk"
        if error.errno in NO_ROOM:
            remedy = "free some space"
        elif error.errno in NOT_WRITABLE:
            remedy = "make the folder writable or choose another one"
        self._sentence = f"{path}: cannot be written ({reason}); {remedy}, then give the same command again"
        super().__init__(self._sentence)
        self.errno, self.strerror = error.errno, reason

    def __str__(self) -> str:
        return self._sentence


@contextmanager
def write_errors(path: Path, written: Path) -> Iterator[None]:
    """Tell errors of writing the file `written` as those of `path`; those of files that are read meanwhile stay as they are.

    Raises:
        UnwrittenFileError: the disk is full or the folder cannot be written.
    """
    try:
        yield
    except UnwrittenFileError:
        raise
    except (OSError, RuntimeError) as error:
        # torch.save hides the error of the file that it writes to behind one of its own.
        cause = error if isinstance(error, OSError) else error.__context__
        places = {str(place) for place in (written, path, *path.parents)}
        if isinstance(cause, OSError) and (cause.filename is None or str(cause.filename) in places):
            raise UnwrittenFileError(path, cause) from error
        raise


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that keeps its suffix; rename it to `path` on success, remove it on failure.

    Raises:
        UnwrittenFileError: the disk is full or the folder cannot be written; what was at `path` before is whole.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    with write_errors(path, temporary):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            # A read-only disk refuses even to remove what is not there; that must not hide the reason.
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """Add a line to a text file, wholly or not at all.

    Raises:
        UnwrittenFileError: the disk is full or the folder cannot be written.
    """
    with write_errors(path, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as handle:
            before = handle.tell()
            try:
                rest = f"{line}\n".encode()
                while rest:  # a disk takes what it has room for before it refuses
                    rest = rest[handle.write(rest) :]
            except OSError:
                handle.truncate(before)
                raise


def refuse_unwritable(folder: Path) -> None:
    """Make sure, before hours of work, that files can be written to `folder`, or where it will be made; makes nothing.

    Raises:
        UnwrittenFileError: they cannot, or its disk is full.
    """
    place = next((parent for parent in (folder, *folder.parents) if not _is_missing(parent)), folder)
    probe = place / f".writable.{os.getpid()}"
    with write_errors(folder, probe):
        try:
            probe.write_bytes(bytes(4096))
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ENOENT
    return False


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
