"""A benchmark as a folder of lossless pictures with a manifest, against which every file is checked when it is read."""

import hashlib
import io
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
from jaxtyping import Float32, UInt8
from PIL import Image
from tqdm import tqdm

from src.checkpoints.files import sha256_of
from src.data.benchmark import Benchmark, assemble, pixel_hash
from src.data.frozen_manifest import MANIFEST, SIDES, face_file, is_frozen, read_manifest, sealed
from src.data.image_file import read_rgb
from src.data.image_stack import empty_stack
from src.degradation.chain import chain_of, recipe_hash
from src.degradation.recipes import recipe_from_mapping
from src.degradation.severity import downscale_factors
from src.settings.errors import UserError

FAST = 1
"""PNG compression level: degraded faces take a quarter of the usual level's time and 30 % more room."""


def freeze(
    benchmark: Benchmark, folder: Path, *, recipe: dict[str, Any] | None = None, overwrite: bool = False
) -> None:
    """Write `hq/<name>.png`, `lq/<name>.png` (RGB, 8-bit) and `manifest.json`; `folder` appears complete or not at all.

    `recipe` is the degradation recipe as plain data; None where the faces were not degraded here. `overwrite` replaces
    a frozen benchmark, and nothing else.

    Raises:
        UserError: the folder exists, a face's name cannot name a file, or the disk is full.
        ValueError: `recipe` is not the benchmark's.
    """
    if recipe is not None and recipe_hash(recipe_from_mapping(recipe, "recipe")) != benchmark.recipe_hash:
        raise ValueError(f"recipe: its hash is not that of the benchmark, {benchmark.recipe_hash}")
    folder = folder.expanduser().absolute()
    _check_target(folder, overwrite)
    try:
        with _private_folder(folder) as private:
            faces = [_write_face(benchmark, index, private) for index in _progress(benchmark.names, "writing")]
            content = {**benchmark.facts(), "recipe_content": recipe, "libraries": _libraries(), "faces": faces}
            (private / MANIFEST).write_text(json.dumps(sealed(content), indent=1) + "\n", encoding="utf-8")
            _put_in_place(private, folder)
    except OSError as error:
        raise UserError(
            f"{folder}: the benchmark cannot be written ({error.strerror or error}); free some space or make the folder "
            "writable"
        ) from None


def load_frozen(folder: Path) -> Benchmark:
    """The benchmark that `freeze` wrote: same arrays, hash and manifest.

    Raises:
        UserError: the manifest is missing, damaged or of another version; a file differs, is missing or does not belong.
    """
    folder = folder.expanduser()
    content = read_manifest(folder)
    try:
        return _loaded(folder, content)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, MemoryError) as error:
        # A manifest that was sealed with other content than `freeze` writes.
        raise UserError(
            f"{folder / MANIFEST}: does not describe a benchmark ({type(error).__name__}: {error}); make it anew"
        ) from error


def _loaded(folder: Path, content: dict[str, Any]) -> Benchmark:
    faces = content["faces"]
    _check_files(folder, content)
    stacks = {side: _read_side(folder, side, content) if faces[0][side] else None for side in SIDES}
    if stacks["lq"] is None:
        raise ValueError("its first face has no lq picture")
    keys = ("name", "split", "seed", "recipe", "recipe_hash", "source", "notes")
    benchmark = assemble(
        **{key: content[key] for key in keys},
        hq=stacks["hq"],
        lq=stacks["lq"],
        names=[face["name"] for face in faces],
        identities=[face["identity"] for face in faces],
        landmarks=[_points(face["landmarks"]) for face in faces],
        factors=_factors(content),
    )
    if benchmark.hash != content["hash"]:
        raise UserError(
            f"{folder}: the faces have the hash {benchmark.hash}, not {content['hash']}; {_remedy(content)}"
        )
    return benchmark


def _factors(content: dict[str, Any]) -> Float32[np.ndarray, "n"] | None:
    recipe = content["recipe_content"]
    if recipe is None or content["seed"] is None:
        return None
    chain = chain_of(recipe_from_mapping(recipe, "recipe"))
    return downscale_factors(chain, content["seed"], len(content["faces"]), content["size"])


def _write_face(benchmark: Benchmark, index: int, folder: Path) -> dict[str, Any]:
    """Write the pictures of a face; returns its entry in the manifest."""
    name, points = benchmark.names[index], benchmark.landmarks
    sides = {"hq": benchmark.hq, "lq": benchmark.lq}
    return {
        "name": name,
        "identity": int(benchmark.identities[index]),
        "landmarks": None if points is None else points[index].tolist(),
        **{
            side: None if images is None else _write_picture(folder / face_file(side, name), images[index])
            for side, images in sides.items()
        },
    }


def _write_picture(path: Path, image: UInt8[np.ndarray, "s s 3"]) -> dict[str, str]:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, format="PNG", compress_level=FAST)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Exclusive, for names that differ only by case on a disk that does not tell them apart.
    with path.open("xb") as handle:
        handle.write(buffer.getbuffer())
    return {"file": hashlib.sha256(buffer.getbuffer()).hexdigest(), "pixels": pixel_hash(image)}


def _read_side(folder: Path, side: str, content: dict[str, Any]) -> UInt8[np.ndarray, "n s s 3"]:
    faces, size = content["faces"], content["size"]
    images = empty_stack(len(faces), size)
    for index in _progress(faces, f"reading {side} of"):
        file = face_file(side, faces[index]["name"])
        image = read_rgb(folder / file)
        if image.shape != images.shape[1:] or pixel_hash(image) != faces[index][side]["pixels"]:
            was, now = content["libraries"]["pillow"], PIL.__version__
            raise UserError(
                f"{folder / file}: is the file that was written, but decodes to other pixels (Pillow was {was}, is {now}); "
                f"{_remedy(content)}"
            )
        images[index] = image
    return images


def _check_files(folder: Path, content: dict[str, Any]) -> None:
    expected = {
        face_file(side, face["name"]): face[side]["file"]
        for face in content["faces"]
        for side in SIDES
        if face[side] is not None
    }
    problems = {file: _problem(folder / file, expected[file]) for file in sorted(expected)}
    problems |= dict.fromkeys(sorted(_present(folder) - expected.keys()), "does not belong to it")
    wrong = [(file, problem) for file, problem in problems.items() if problem]
    if wrong:
        first, problem = wrong[0]
        raise UserError(
            f"{folder}: {len(wrong)} of {len(problems)} files differ from {MANIFEST}, first {first}, which {problem}; "
            f"{_remedy(content)}"
        )


def _problem(path: Path, expected: str) -> str | None:
    try:
        return None if sha256_of(path) == expected else "has other content"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _present(folder: Path) -> set[str]:
    """Files below hq and lq; those that file managers leave behind do not count."""
    found = (path for side in SIDES for path in (folder / side).rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix() for path in found if path.name not in (".DS_Store", "Thumbs.db")}


def _remedy(content: dict[str, Any]) -> str:
    if content["recipe_content"] is None:
        return "restore the files, or freeze the test set anew"
    keys = {"recipe": content["recipe"], "n": content["count"]} | {
        key: content[key] for key in ("seed", "size", "split")
    }
    values = " ".join(f"{key}={value}" for key, value in keys.items())
    command = f"python -m src.dataset benchmark {values} source=... output=..."
    return f"restore the files, or make the benchmark anew with {command}"


def _check_target(folder: Path, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not is_frozen(folder):
        raise UserError(f"{folder}: exists and is no frozen benchmark; choose another folder")
    if not overwrite:
        raise UserError(f"{folder}: exists; choose another folder, or give overwrite=true to replace it")


@contextmanager
def _private_folder(folder: Path) -> Iterator[Path]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    private = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield private
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _put_in_place(private: Path, folder: Path) -> None:
    private.chmod(0o755)
    if not is_frozen(folder):
        os.replace(private, folder)
        return
    # A folder that is not empty cannot be renamed over.
    old = private.with_name(f"{private.name}.old")
    os.replace(folder, old)
    try:
        os.replace(private, folder)
    except OSError:
        os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _points(points: list[list[float]] | None) -> np.ndarray | None:
    return None if points is None else np.array(points, np.float32)


def _libraries() -> dict[str, str]:
    """Versions of what has a say in the pixels."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
        **{name: metadata.version(name) for name in ("numba", "torch")},
    }


def _progress(faces: list | tuple, title: str) -> Iterator[int]:
    title = f"{title} {len(faces):,} faces"
    return iter(tqdm(range(len(faces)), desc=title, unit="face", leave=False, disable=None))
