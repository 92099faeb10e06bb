"""Images of a published data set that are called by their numbers, and the lists that lie beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from src.data.file_tree import FileTree, Folder, images_of
from src.settings.errors import UserError


@dataclass(frozen=True)
class NumberedSet:
    """How a data set is published."""

    name: str
    layout: str
    """What `data.layout` calls it."""
    count: int
    levels: tuple[str, ...]
    """Folders that the images lie in, the preferred one first; images outside are others, where there is one of these."""
    example: str


def numbered_images(tree: FileTree, published: NumberedSet) -> tuple[dict[int, str], tuple[str, ...]]:
    """Files by number, and sentences on what is missing or left out.

    Raises:
        UserError: there is no image; one is not called by a number of the data set, or two by the same.
    """
    images = images_of(tree)
    chosen, left_out = _of_best_level(images, published.levels)
    files: dict[int, str] = {}
    for file in chosen:
        number = _number(tree, file, published)
        if number in files:
            raise UserError(
                f"{tree.root}: {files[number]} and {file} are both image {number} of {published.name}; give the folder "
                "of one of them"
            )
        files[number] = file
    notices = [left_out] if left_out else []
    if len(files) < published.count:
        notices.append(f"holds {len(files):,} of the {published.count:,} images of {published.name}")
    return files, tuple(f"{tree.root}: {notice}" for notice in notices)


def list_beside(tree: FileTree, names: Sequence[str]) -> tuple[str, bytes] | None:
    """The first of these files that lies with the images or one folder above: its name in messages, and its content.

    Raises:
        UserError: it cannot be read.
    """
    by_depth = sorted(tree.files, key=lambda file: file.count("/"))
    for name in names:
        inside = next((file for file in by_depth if PurePosixPath(file).name == name), None)
        above = Folder(tree.root.absolute().parent)
        for place, file in ((tree, inside), (above, name if above.holds(name) else None)):
            if file is not None:
                return place.where(file), place.read(file)
    return None


def columns_of(where: str, content: bytes, width: int, what: str) -> list[list[str]]:
    """Rows of a list of `width` columns that are parted by blanks; lines that do not begin like a row are headings.

    Raises:
        UserError: a row is shorter or longer, or there is none; `what` tells what a row consists of.
    """
    lines = [line.split() for line in content.decode("utf-8-sig", errors="replace").splitlines() if line.strip()]
    rows = [cells for cells in lines if cells[0].split(".")[0].isdecimal() and len(cells) > 1]
    wrong = next((cells for cells in rows if len(cells) != width), None)
    if wrong is not None or not rows:
        found = " ".join(wrong) if wrong else "none"
        raise UserError(f"{where}: a row is {what}, found {found!r}; fetch the list anew")
    return rows


def _of_best_level(images: list[str], levels: Sequence[str]) -> tuple[list[str], str]:
    for level in levels:
        inside = [file for file in images if level in PurePosixPath(file).parts[:-1]]
        if inside:
            others = len(images) - len(inside)
            return inside, f"takes {level} and leaves {others:,} other images out" if others else ""
    return images, ""


def _number(tree: FileTree, file: str, published: NumberedSet) -> int:
    stem = PurePosixPath(file).stem
    if not (stem.isdecimal() and stem.isascii()) or int(stem) >= published.count:
        raise UserError(
            f"{tree.root}: {file} is no image of {published.name}, which are called 0 to {published.count - 1:,} "
            f"(like {published.example}); remove it, or use data.layout=none"
        )
    return int(stem)
