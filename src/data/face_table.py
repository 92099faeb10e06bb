"""Which files a folder source has, with split, identity, group of look-alikes and landmarks."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from src.data.image_file import IMAGE_SUFFIXES, image_files
from src.data.splits import assign_splits, verify_disjoint
from src.settings.data import FolderSettings
from src.settings.errors import UserError

POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
LANDMARK_COLUMNS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")
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


def read_face_table(settings: FolderSettings) -> list[FaceFile]:
    """All faces of a folder, sorted by file.

    With a table the faces are its rows; without, every image below the root, each an identity of its own.

    Raises:
        UserError: the root is missing or holds no image; the table is missing, lacks the column `file`, names a file
            that does not exist, has a cell that cannot be read, or lets two splits share an identity or a group.
    """
    root = Path(settings.root).expanduser()
    if not root.is_dir():
        raise UserError(f"data.root: the folder {root} does not exist; give a folder of aligned face images")
    table = _table_path(root, settings.table)
    rows = _unlisted(root) if table is None else _listed(root, table)
    rows.sort(key=lambda row: row["file"])
    where = str(root if table is None else table)
    return _faces(rows, where, settings)


def _table_path(root: Path, table: str | None) -> Path | None:
    if table is None:
        default = root / "faces.csv"
        return default if default.is_file() else None
    path = Path(table).expanduser()
    path = path if path.is_file() else root / table
    if not path.is_file():
        raise UserError(f"data.table: {table} does not exist, neither as it is nor in {root}")
    return path


def _unlisted(root: Path) -> list[dict[str, str]]:
    rows = [{"file": path.relative_to(root).as_posix()} for path in image_files(root)]
    if not rows:
        raise UserError(f"data.root: {root} holds no image ({', '.join(IMAGE_SUFFIXES)}), also not in sub-folders")
    return rows


def _listed(root: Path, table: Path) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            columns = reader.fieldnames or []
            rows = [{key: (value or "").strip() for key, value in row.items() if key is not None} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table}: cannot be read as CSV ({error})") from None
    if "file" not in columns:
        raise UserError(f"{table}: has no column `file`; its columns are {', '.join(columns) or 'none'}")
    if not rows:
        raise UserError(f"{table}: names no file")
    _check_files(root, table, [row["file"] for row in rows])
    return rows


def _check_files(root: Path, table: Path, files: Sequence[str]) -> None:
    missing = [file for file in files if not file or not (root / file).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(f"{table}: names {missing[0] or 'an empty file name'}{more}, which is not in {root}")
    if len(set(files)) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        raise UserError(f"{table}: names {twice} more than once")


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
