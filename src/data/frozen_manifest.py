"""`manifest.json` of a frozen benchmark: what was made, how, and the SHA-256 of every file."""

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

from src.checkpoints.plain_files import read_json
from src.settings.errors import UserError
from src.settings.printable import is_plain

MANIFEST = "manifest.json"
FORMAT = "frozen benchmark"
VERSION = 1
SIDES = ("hq", "lq")


def is_frozen(folder: Path) -> bool:
    """Whether the folder holds a manifest of a frozen benchmark, of any version, whole or damaged."""
    try:
        return f'"{FORMAT}"' in (folder / MANIFEST).read_text(encoding="utf-8", errors="replace")[:200]
    except OSError:
        return False


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a manifest with format, version and a checksum over all of it."""
    whole = {"format": FORMAT, "version": VERSION, **content}
    return whole | {"checksum": _checksum(whole)}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The content of a folder's manifest, as it was sealed.

    Raises:
        UserError: it is missing, no manifest, of another version, or was changed.
    """
    path = folder / MANIFEST
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise UserError(
            f"{path}: is missing; restore the file, or make the benchmark anew with python -m src.dataset benchmark"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); make it readable") from None
    except ValueError:
        raise _damaged(path, "it is no JSON text") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path}: is not the manifest of a frozen benchmark; choose another folder")
    if content.get("version") != VERSION:
        raise UserError(
            f"{path}: has version {content.get('version')!r}, this program reads version {VERSION}; make the benchmark "
            "anew, or use the program that made it"
        )
    if content.pop("checksum", None) != _checksum(content):
        raise _damaged(path, "its content does not match its checksum")
    return content


def face_file(side: str, name: str) -> str:
    """The picture of a face, relative to the benchmark's folder.

    Raises:
        UserError: the name would lead out of the folder, or cannot be a file's.
    """
    parts = PurePosixPath(name).parts
    if not name or "\\" in name or not is_plain(name) or name != "/".join(parts) or ".." in parts or parts[0] == "/":
        raise UserError(f"benchmark: {name!r} cannot name a file; rename this face's file or row in the source")
    return f"{side}/{name}.png"


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(f"{path}: is damaged ({reason}); restore the file, or make the benchmark anew")
