"""Zip archives of images, read in place."""

import hashlib
import os
import zipfile
import zlib
from functools import cached_property
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import cast

from src.data.image_file import DamagedImage
from src.settings.errors import UserError

ENCRYPTED = 1
"""Flag of a member in the archive's directory."""
LARGEST_MEMBER = 2**30
"""Bytes of a member, unpacked; a few packed kilobytes can promise any number."""
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
MEMBER_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


class Archive:
    """A zip archive as a `FileTree`; every process opens it for itself. Pickled as its path.

    Raises:
        UserError: it cannot be read, is damaged, or has a member that is encrypted, compressed in an unusual way, larger
            than `LARGEST_MEMBER`, named twice, or named to lie outside the archive.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        _check_members(self._zip.infolist(), root)

    @cached_property
    def files(self) -> list[str]:
        """All members that are no folders and not hidden, sorted."""
        found = (PurePosixPath(member.filename) for member in self._zip.infolist() if not member.is_dir())
        return [path.as_posix() for path in sorted(found) if not any(part.startswith(".") for part in path.parts)]

    def holds(self, file: str) -> bool:
        """Whether there is such a member."""
        return file in self._zip.NameToInfo

    def open(self, file: str) -> BufferedIOBase:
        """The member for reading. Raises DamagedImage if it cannot be found where the directory says."""
        try:
            return cast(BufferedIOBase, self._zip.open(self._member(file)))
        except MEMBER_ERRORS as error:
            raise self._damaged(file, error) from None

    def read(self, file: str) -> bytes:
        """Its content. Raises DamagedImage if it does not match its checksum."""
        try:
            return self._zip.read(self._member(file))
        except MEMBER_ERRORS as error:
            raise self._damaged(file, error) from None

    def nbytes(self, file: str) -> int:
        """Size of the member, unpacked."""
        return self._member(file).file_size

    def content_hash(self, file: str) -> str:
        """SHA-256 of the content: that of the unpacked file."""
        return hashlib.sha256(self.read(file)).hexdigest()

    def cheap_hash(self, file: str) -> str:
        """Size and CRC-32, as the archive's directory has them."""
        member = self._member(file)
        return f"{member.file_size} {member.CRC:08x}"

    def where(self, file: str) -> str:
        """Archive and member."""
        return f"{self.root}: {file}"

    @property
    def _zip(self) -> zipfile.ZipFile:
        # A forked process shares the position in the file with its parent, so it must not use the parent's handle.
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), _opened(self.root))
        return self._opened[1]

    def _member(self, file: str) -> zipfile.ZipInfo:
        if not self.holds(file):
            raise UserError(f"{self.where(file)}: is not in the archive")
        return self._zip.NameToInfo[file]

    def _damaged(self, file: str, error: Exception) -> DamagedImage:
        reason = str(error) or type(error).__name__
        return DamagedImage(f"{self.where(file)}: is damaged in the archive ({reason}); replace or remove it")

    def __reduce__(self) -> tuple[type["Archive"], tuple[Path]]:
        return Archive, (self.root,)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise UserError(f"{path}: is a damaged zip archive ({error}); fetch or make it anew") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    names: set[str] = set()
    for member in members:
        problem = _problem(member)
        if member.filename in names:
            problem = "is there twice; make the archive anew"
        if problem:
            raise UserError(f"{path}: {member.filename}: {problem}")
        names.add(member.filename)


def _problem(member: zipfile.ZipInfo) -> str:
    parts = PurePosixPath(member.filename.replace("\\", "/")).parts
    if ".." in parts or (parts and (parts[0] == "/" or parts[0].endswith(":"))):
        return "is named to lie outside the archive; make the archive anew with names relative to its root"
    if member.flag_bits & ENCRYPTED:
        return "is encrypted; make an archive without a password"
    if member.compress_type not in READABLE:
        return f"is compressed by method {member.compress_type}; make the archive with deflate, or without compression"
    if member.file_size > LARGEST_MEMBER:
        return f"unpacks to {member.file_size:,} bytes, more than {LARGEST_MEMBER:,}; take it out of the archive"
    return ""
