"""Which files a folder or archive has, with split, identity, group of look-alikes and landmarks."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from src.data.celeba_hq import list_celeba_hq
from src.data.ffhq import list_ffhq
from src.data.file_tree import FileTree, images_of
from src.data.listing import LANDMARK_COLUMNS, Listing
from src.data.splits import assign_splits, verify_disjoint
from src.settings.data import FolderSettings
from src.settings.errors import UserError

DEFAULT_TABLE = "faces.csv"
LAYOUTS = {"ffhq": list_ffhq, "celeba_hq": list_celeba_hq}
SPLIT_NAMES = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}


@dataclass(frozen=True, kw_only=True)
class FaceFile:
    """One row: a file and what is known about the face in it."""

    file: str
    """Path relative to the root, with `/`."""
    split: str
    identity: str
    group: str
    """Group of look-alikes; the identity where the table names none."""
    landmarks: Float32[np.ndarray, "5 2"] | None
    """Left eye, right eye, nose, left and right mouth corner as (x, y), pixels of the file."""


@dataclass(frozen=True, kw_only=True)
class FaceTable:
    """All faces of a folder or archive, sorted by file."""

    faces: list[FaceFile]
    notices: tuple[str, ...]
    """Sentences on what a published layout has and this one lacks."""
    landmark_side: int | None
    """Side of the images that the landmarks refer to, pixels; None if it is each file's own."""


def read_face_table(settings: FolderSettings, tree: FileTree) -> FaceTable:
    """All faces of a folder or archive.

    With a table the faces are its rows. Without, they are the images below the root, each an identity of its own, about
    which a published layout (`settings.layout`) may tell more.

    Raises:
        UserError: the root holds no image; the table is missing, lacks the column `file`, names a file that does not
            exist, has a cell that cannot be read, or lets two splits share an identity or a group; the layout is another.
    """
    table = _table(tree, settings.table)
    if table is not None:
        listing = _listed(tree, *table)
    elif settings.layout != "none":
        listing = _layout(settings.layout)(tree, settings)
    else:
        listing = Listing(rows=[{"file": file} for file in images_of(tree)], where=str(tree.root))
    listing.rows.sort(key=lambda row: row["file"])
    faces = _faces(listing.rows, listing.where, settings)
    return FaceTable(faces=faces, notices=listing.notices, landmark_side=listing.landmark_side)


def _layout(name: str) -> Callable[[FileTree, FolderSettings], Listing]:
    if name not in LAYOUTS:
        raise UserError(f"data.layout: {name!r} is not one of none, {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def _table(tree: FileTree, table: str | None) -> tuple[str, bytes] | None:
    """What the table is called in messages, and its content."""
    own = None if table is None else Path(table).expanduser()
    if own is not None and own.is_file():
        try:
            return str(own), own.read_bytes()
        except OSError as error:
            raise UserError(f"{own}: cannot be read ({error.strerror})") from None
    name = DEFAULT_TABLE if table is None else table
    if tree.holds(name):
        return tree.where(name), tree.read(name)
    if table is not None:
        raise UserError(f"data.table: {table} does not exist, neither as it is nor in {tree.root}")
    return None


def _listed(tree: FileTree, table: str, content: bytes) -> Listing:
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        columns = reader.fieldnames or []
        rows = [{key: (value or "").strip() for key, value in row.items() if key is not None} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table}: cannot be read as CSV ({error})") from None
    if "file" not in columns:
        raise UserError(f"{table}: has no column `file`; its columns are {', '.join(columns) or 'none'}")
    if not rows:
        raise UserError(f"{table}: names no file")
    _check_files(tree, table, [row["file"] for row in rows])
    return Listing(rows=rows, where=table)


def _check_files(tree: FileTree, table: str, files: Sequence[str]) -> None:
    missing = [file for file in files if not file or not tree.holds(file)]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(f"{table}: names {missing[0] or 'an empty file name'}{more}, which is not in {tree.root}")
    seen: set[str] = set()
    for file in files:
        if file in seen:
            raise UserError(f"{table}: names {file} more than once")
        seen.add(file)


def _faces(rows: list[dict[str, str]], where: str, settings: FolderSettings) -> list[FaceFile]:
    identities = [row.get("identity") or row["file"] for row in rows]
    groups = [_group(row, identity) for row, identity in zip(rows, identities, strict=True)]
    _check_groups(identities, groups, where)
    splits = _splits(rows, identities, groups, where, settings)
    verify_disjoint(splits, identities, f"{where}: identity")
    verify_disjoint(splits, groups, f"{where}: look-alike group")
    columns = zip(rows, splits, identities, groups, strict=True)
    return [
        FaceFile(file=row["file"], split=split, identity=who, group=group, landmarks=_landmarks(row, where))
        for row, split, who, group in columns
    ]


def _group(row: dict[str, str], identity: str) -> str:
    return f"look-alike {row['lookalike_group']}" if row.get("lookalike_group") else f"identity {identity}"


def _check_groups(identities: Sequence[str], groups: Sequence[str], where: str) -> None:
    group_of: dict[str, str] = {}
    for identity, group in zip(identities, groups, strict=True):
        if group_of.setdefault(identity, group) != group:
            raise UserError(
                f"{where}: identity {identity} is in the groups {group_of[identity]!r} and {group!r}; it has one"
            )


def _splits(
    rows: list[dict[str, str]], identities: list[str], groups: list[str], where: str, settings: FolderSettings
) -> list[str]:
    if "split" not in rows[0]:
        return assign_splits(
            identities,
            groups,
            validation_fraction=settings.validation_fraction,
            test_fraction=settings.test_fraction,
            seed=settings.split_seed,
        )
    unknown = next((row for row in rows if row["split"] not in SPLIT_NAMES), None)
    if unknown is not None:
        raise UserError(
            f"{where}: split {unknown['split']!r} of {unknown['file']} is not one of {', '.join(SPLIT_NAMES)}"
        )
    return [SPLIT_NAMES[row["split"]] for row in rows]


def _landmarks(row: dict[str, str], where: str) -> Float32[np.ndarray, "5 2"] | None:
    cells = [row.get(column, "") for column in LANDMARK_COLUMNS]
    if not any(cells):
        return None
    try:
        points = np.array([float(cell) for cell in cells], np.float32).reshape(5, 2)
    except ValueError:
        raise UserError(f"{where}: the landmarks of {row['file']} are not ten numbers: {', '.join(cells)}") from None
    if not np.isfinite(points).all():
        raise UserError(f"{where}: the landmarks of {row['file']} are not finite: {', '.join(cells)}")
    return points
