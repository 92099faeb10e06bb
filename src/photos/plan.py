"""Which photos and videos a restoration reads, and which files it writes. Imports no torch."""

import glob
import itertools
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from src.data.image_file import image_files
from src.photos.photo_file import PHOTO_SUFFIXES
from src.photos.video_suffixes import VIDEO_SUFFIXES
from src.settings.errors import UserError

GRID = "grid.png"
REPORT = "restore.json"
LONGEST_NAME = 200
"""Bytes of a file's name, without suffix, that leave room for what is added to it; file systems take 255."""
SUFFIXES = (*PHOTO_SUFFIXES, *VIDEO_SUFFIXES)


@dataclass(frozen=True)
class PhotoFile:
    """An input and the files that come of it."""

    source: Path
    output: Path
    """Folder of the whole restoration."""
    name: Path
    """Path of every file that comes of it, inside its folder and without suffix; unique."""

    @property
    def is_video(self) -> bool:
        """True for a video."""
        return self.source.suffix.lower() in VIDEO_SUFFIXES

    @property
    def result(self) -> Path:
        """The whole picture with restored faces; for an aligned face the restored face."""
        return self._path("results", ".mp4" if self.is_video else ".png")

    @property
    def comparison(self) -> Path:
        """Input and result side by side."""
        return self._path("comparisons", ".png")

    @property
    def report(self) -> Path:
        """Boxes, landmarks, scores and timings."""
        return self._path("reports", ".json")

    def crop(self, face: str) -> Path:
        """An aligned face before restoration; `face` is its number."""
        return self._path("crops", f"_{face}.png")

    def face(self, face: str) -> Path:
        """The same face after restoration."""
        return self._path("faces", f"_{face}.png")

    def _path(self, folder: str, ending: str) -> Path:
        return self.output / folder / self.name.with_name(self.name.name + ending)


def plan_photos(given: str, output: str, *, overwrite: bool) -> list[PhotoFile]:
    """The photos and videos in `given`: a file, a folder (its sub-folders are repeated in `output`) or a pattern.

    Inputs that would share one name keep their suffix inside the name (a_jpg and a_png). Files below `output` are no
    inputs.

    Raises:
        UserError: `given` does not exist or holds neither photo nor video; `output` is a file or would replace an
            input; a result exists and `overwrite` is not set.
    """
    folder = Path(output).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"output: {folder} is a file; give a folder")
    root, sources = _sources(given, folder)
    names = _names([path.relative_to(root) for path in sources])
    files = [PhotoFile(path, folder, name) for path, name in zip(sources, names, strict=True)]
    _check_results(files, folder, overwrite)
    return files


def _sources(given: str, output: Path) -> tuple[Path, list[Path]]:
    """The folder to which names are relative, and the inputs."""
    path = Path(given).expanduser()
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise UserError(f"input: {path} is neither a photo nor a video ({', '.join(SUFFIXES)})")
        return path.parent, [path]
    if path.is_dir():
        own = output.resolve()
        inside = own != path.resolve()
        found = [file for file in image_files(path, SUFFIXES) if not (inside and file.resolve().is_relative_to(own))]
        where = f"the folder {path}"
    else:
        matches = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
        found = [file for file in matches if file.is_file() and file.suffix.lower() in SUFFIXES]
        if not matches:
            kind = "matches nothing" if glob.has_magic(given) else "does not exist"
            raise UserError(f"input: {given} {kind}; give a photo, a video, a folder of them or a pattern")
        path, where = _common_folder(found), f"the pattern {given}"
    if not found:
        raise UserError(f"input: {where} holds neither photo nor video ({', '.join(SUFFIXES)})")
    return path, found


def _common_folder(files: list[Path]) -> Path:
    folders = [file.parent for file in files]
    return (
        next(
            (top for top in (folders[0], *folders[0].parents) if all(folder.is_relative_to(top) for folder in folders)),
            Path(),
        )
        if folders
        else Path()
    )


def _names(sources: list[Path]) -> list[Path]:
    plain = [source.with_suffix("") for source in sources]
    uses = Counter(map(_key, plain))
    taken = {key for key, count in uses.items() if count == 1}
    names = []
    for source, name in zip(sources, plain, strict=True):
        if uses[_key(name)] > 1:
            name = next(longer for longer in _names_with_suffix(source) if _key(longer) not in taken)
            taken.add(_key(name))
        names.append(name)
    return names


def _key(name: Path) -> str:
    """Equal for names that one file system or another takes for the same."""
    return str(name).lower()


def _names_with_suffix(source: Path) -> Iterator[Path]:
    stem = f"{source.stem}_{source.suffix[1:]}"
    yield source.with_name(stem)
    yield from (source.with_name(f"{stem}_{number}") for number in itertools.count(2))


def _check_results(files: list[PhotoFile], folder: Path, overwrite: bool) -> None:
    if too_long := next((file for file in files if len(os.fsencode(file.name.name)) > LONGEST_NAME), None):
        raise UserError(f"input: {str(too_long.source)[:200]!r} has a name too long to be added to; shorten the name")
    originals = {file.source.resolve() for file in files}
    written = [path for file in files for path in (file.result, file.comparison)] + [folder / GRID]
    replaced = [path for path in written if path.resolve() in originals]
    if replaced:
        raise UserError(f"output: {replaced[0]} is one of the inputs and would be replaced; give another folder")
    existing = [path for path in (*written, folder / REPORT) if path.exists()]
    if existing and not overwrite:
        more = f" and {len(existing) - 1} more files" if len(existing) > 1 else ""
        raise UserError(f"output: {existing[0]}{more} would be replaced; give another folder or overwrite=true")
