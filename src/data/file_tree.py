"""Files of a source, by their names below its root, whether these lie in a folder or in an archive."""

import os
from functools import cache as memoised
from functools import cached_property
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

from src.checkpoints.files import sha256_of
from src.checkpoints.plain_files import check_regular, read_regular
from src.data.archive import Archive
from src.data.image_file import IMAGE_SUFFIXES
from src.settings.errors import UserError
from src.settings.printable import is_plain


@runtime_checkable
class FileTree(Protocol):
    """Reads files by name: relative to the root, with `/`."""

    @property
    def root(self) -> Path:
        """The folder or archive."""

    @property
    def files(self) -> list[str]:
        """All files that are not hidden, sorted."""

    def holds(self, file: str) -> bool:
        """Whether there is such a file, hidden or not."""

    def open(self, file: str) -> BufferedIOBase:
        """The file for reading. Raises UserError if it cannot be opened."""

    def read(self, file: str) -> bytes:
        """Its content. Raises UserError if it cannot be read, as `DamagedImage` if it is damaged in the archive."""

    def nbytes(self, file: str) -> int:
        """Size of its content."""

    def content_hash(self, file: str) -> str:
        """Hexadecimal SHA-256 of its content."""

    def cheap_hash(self, file: str) -> str:
        """What can be told of its content without reading it."""

    def where(self, file: str) -> str:
        """The file's name in messages."""


class Folder:
    """A folder (`FileTree`); pickled as its path."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def files(self) -> list[str]:
        """All files that are not hidden, sorted."""
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = Path(folder).relative_to(self.root)
            found += [below / name for name in names if not name.startswith(".")]
        return [path.as_posix() for path in sorted(found)]

    def holds(self, file: str) -> bool:
        """Whether there is such a file, named to lie below the root."""
        return _lies_below(file) and (self.root / file).is_file()

    def open(self, file: str) -> BufferedIOBase:
        """The file for reading. Raises UserError if it cannot be opened."""
        try:
            check_regular(self.root / file)
            return (self.root / file).open("rb")
        except OSError as error:
            raise UserError(f"{self.where(file)}: cannot be read ({error.strerror})") from None

    def read(self, file: str) -> bytes:
        """Its content. Raises UserError if it cannot be read."""
        try:
            return read_regular(self.root / file)
        except OSError as error:
            raise UserError(f"{self.where(file)}: cannot be read ({error.strerror})") from None

    def nbytes(self, file: str) -> int:
        """Size of the file. Raises UserError if it is missing."""
        return self._state(file).st_size

    def content_hash(self, file: str) -> str:
        """SHA-256 of the file; taken again only when size or modification time differ."""
        state = self._state(file)
        return _hash_of(self.root / file, state.st_size, state.st_mtime_ns)

    def cheap_hash(self, file: str) -> str:
        """The size."""
        return str(self.nbytes(file))

    def where(self, file: str) -> str:
        """The path."""
        return str(self.root / file)

    def _state(self, file: str) -> os.stat_result:
        try:
            return (self.root / file).stat()
        except OSError as error:
            raise UserError(f"{self.where(file)}: cannot be read ({error.strerror})") from None

    def __reduce__(self) -> tuple[type["Folder"], tuple[Path]]:
        return Folder, (self.root,)


def open_tree(root: str) -> FileTree:
    """The folder or zip archive that `data.root` names.

    Raises:
        UserError: it does not exist, or is neither; see also `Archive`.
    """
    path = Path(root).expanduser()
    if path.is_dir():
        return Folder(path)
    if path.is_file() and path.suffix.lower() == ".zip":
        return Archive(path)
    if path.exists():
        raise UserError(f"data.root: {path} is neither a folder nor a .zip archive; unpack it, or give the folder")
    kind = "archive" if path.suffix.lower() == ".zip" else "folder"
    raise UserError(
        f"data.root: the {kind} {path} does not exist; give a folder or .zip archive of aligned face images"
    )


def images_of(tree: FileTree) -> list[str]:
    """The files with the suffix of an image.

    Raises:
        UserError: there is none, or one has a name that cannot be printed.
    """
    found = [file for file in tree.files if file.lower().endswith(IMAGE_SUFFIXES)]
    if odd := next((file for file in found if not is_plain(file)), None):
        raise UserError(
            f"data.root: {tree.root} holds a file named {odd!r}, with characters that cannot be printed; rename it"
        )
    if not found:
        suffixes = ", ".join(IMAGE_SUFFIXES)
        raise UserError(f"data.root: {tree.root} holds no image ({suffixes}), also not in sub-folders")
    return found


def _lies_below(file: str) -> bool:
    return "\0" not in file and not file.startswith("/") and ".." not in PurePosixPath(file).parts


@memoised
def _hash_of(path: Path, size: int, modified: int) -> str:
    return sha256_of(path)
