"""CelebA-HQ as it is published: 30,000 numbered images, and lists of CelebA that tell who is who (arXiv 1710.10196)."""

from src.data.file_tree import FileTree
from src.data.listing import Listing
from src.data.numbered_images import NumberedSet, columns_of, list_beside, numbered_images
from src.settings.data import FolderSettings
from src.settings.errors import UserError

CELEBA_HQ = NumberedSet(
    name="CelebA-HQ",
    layout="celeba_hq",
    count=30_000,
    levels=("CelebA-HQ-img", "celeba_hq_1024", "celeba_hq_512", "celeba_hq_256"),
    example="CelebA-HQ-img/0.jpg or 00000.png",
)
MAPPING = ("CelebA-HQ-to-CelebA-mapping.txt",)
IDENTITIES = ("identity_CelebA.txt", "identity_annotations.txt")
PARTITION = ("list_eval_partition.txt",)
SPLIT_OF_PART = {"0": "train", "1": "val", "2": "test"}


def list_celeba_hq(tree: FileTree, settings: FolderSettings) -> Listing:
    """Rows with identity and split, as far as the lists lie with the images or one folder above.

    Raises:
        UserError: an image is none of CelebA-HQ's; a list cannot be read or lacks an image.
    """
    files, notices = numbered_images(tree, CELEBA_HQ)
    original = _list(tree, MAPPING, 3, "a number in CelebA-HQ, one in CelebA, and a file of CelebA", key=0, value=2)
    people = _list(tree, IDENTITIES, 2, "a file of CelebA and the number of a person", key=0, value=1)
    parts = _list(tree, PARTITION, 2, "a file of CelebA and 0, 1 or 2", key=0, value=1)
    rows = {number: {"file": file} for number, file in files.items()}
    if original is not None:
        names = {number: _entry(original, str(number)) for number in files}
        for number, row in rows.items():
            if people is not None:
                row["identity"] = _entry(people, names[number])
            if parts is not None:
                row["split"] = _split(parts, names[number])
    lack = _lack(original is None, people is None, parts is None)
    told = notices if lack is None else (*notices, f"{tree.root}: {lack}")
    return Listing(rows=list(rows.values()), where=str(tree.root), notices=told)


Entries = tuple[str, dict[str, str]]
"""Name of a list in messages, and its content."""


def _list(tree: FileTree, names: tuple[str, ...], width: int, what: str, *, key: int, value: int) -> Entries | None:
    found = list_beside(tree, names)
    if found is None:
        return None
    where, content = found
    return where, {cells[key]: cells[value] for cells in columns_of(where, content, width, what)}


def _entry(entries: Entries, key: str) -> str:
    where, content = entries
    if key not in content:
        raise UserError(f"{where}: lacks {key}; fetch the list anew")
    return content[key]


def _split(parts: Entries, name: str) -> str:
    part = _entry(parts, name)
    if part not in SPLIT_OF_PART:
        raise UserError(f"{parts[0]}: part {part!r} of {name} is not one of {', '.join(SPLIT_OF_PART)}; fetch it anew")
    return SPLIT_OF_PART[part]


def _lack(mapping: bool, people: bool, parts: bool) -> str | None:
    if mapping:
        return f"no {MAPPING[0]}, so every image is an identity of its own, and the fractions split them"
    lacking = []
    if people:
        lacking.append(f"no {IDENTITIES[0]}, so every image is an identity of its own")
    if parts:
        lacking.append(f"no {PARTITION[0]}, so the fractions split the identities")
    return "; ".join(lacking) or None
