"""What `python -m src.dataset` does. Heavy modules are imported where they are used, so that mistakes are told at once."""

from collections.abc import Sequence
from pathlib import Path

from src.data import FaceSource, build_source, count_faces
from src.data.splits import checked_split
from src.degradation.chain import plain_recipe
from src.degradation.recipe_table import recipe_table
from src.degradation.recipes import joint_names, load_joint, load_recipe
from src.settings.commands import DatasetConfig
from src.settings.data import BenchmarkSettings, PackedSettings
from src.settings.degradation import DegradationRecipe
from src.settings.errors import UserError

PREVIEWED = 8
"""Faces of a preview where `n` is null."""


def preview(settings: DatasetConfig) -> str:
    """Write a contact sheet, a row a face: HQ, then LQ of every recipe. Returns the tables of the recipes.

    Raises:
        UserError: a setting or recipe is wrong, the source cannot be read, or the file exists and may not be replaced.
    """
    recipes = [recipe for name in settings.recipes for recipe in _named(name)]
    output = Path(settings.output or "preview.png").expanduser()
    _check_draws(settings)
    if output.suffix.lower() != ".png":
        raise UserError(f"output: {output} must end in .png")
    if output.exists() and not settings.overwrite:
        raise UserError(f"output: {output} exists; give another name or overwrite=true")
    source = build_source(settings.data, split=settings.split, size=settings.size, cache=None)
    count = min(settings.n or PREVIEWED, len(source))
    _write_sheet(output, source, range(count), recipes, settings.seed)
    return "\n\n".join([*map(recipe_table, recipes), f"{count} faces of the {settings.split} split -> {output}"])


def pack_faces(settings: DatasetConfig) -> str:
    """Decode the faces of all splits once, into a packed store; an interrupted packing goes on where it stopped.

    Raises:
        UserError: the source cannot be read, or the folder holds something else or cannot be written.
    """
    from src.data.pack import pack

    folder = _output_folder(settings)
    counts = count_faces(settings.data)
    sources = {
        split: build_source(settings.data, split=split, size=settings.size, cache=None, look_over=False)
        for split, (images, _) in counts.items()
        if images
    }
    facts = pack(sources, folder, workers=settings.workers, skip_damaged=settings.data.on_damaged == "skip")
    megabytes = facts.count * facts.size**2 * 3 / 1e6
    made = f"{facts.count:,} faces of {facts.size} px, {megabytes:,.0f} MB -> {folder}"
    return f"{made}\nuse it with data=packed data.root={folder}"


def benchmark(settings: DatasetConfig) -> str:
    """Write a frozen benchmark: lossless pairs and a manifest with the hash of every file.

    Raises:
        UserError: a setting or the recipe is wrong, the source cannot be read, or the folder exists or cannot be written.
    """
    from src.data.benchmark import build_benchmark
    from src.data.frozen_benchmark import freeze

    _check_draws(settings)
    folder = _output_folder(settings)
    recipe = plain_recipe(settings.recipe)
    source = build_source(settings.data, split=settings.split, size=settings.size, cache=None)
    chosen = BenchmarkSettings(
        root=None,
        split=settings.split,
        count=settings.n or len(source),
        seed=settings.seed,
        degradation=settings.recipe,
    )
    made = build_benchmark(source, chosen, folder.name)
    freeze(made, folder, recipe=recipe, overwrite=settings.overwrite)
    table = recipe_table(settings.recipe)
    made_of = f"{len(made)} pairs of {made.size} px -> {folder}"
    return "\n".join([table, "", made_of, f"hash {made.hash}", f"use it with benchmark.root={folder}"])


def stats(settings: DatasetConfig) -> str:
    """Images and identities of every split, sizes and kinds of the files, mean and deviation of the pixels.

    Raises:
        UserError: the source cannot be read.
    """
    from src.data.source_statistics import source_statistics

    return str(source_statistics(settings.data, size=settings.size))


def validate(settings: DatasetConfig) -> str:
    """Check a frozen benchmark against its manifest, a packed store against its index, any other source face by face.

    Raises:
        UserError: a file is missing, damaged, or not what was written.
    """
    root = getattr(settings.data, "root", None)
    if root is not None and (found := _checked_benchmark(Path(root).expanduser(), settings.size)):
        return found
    if isinstance(settings.data, PackedSettings):
        return _checked_store(Path(settings.data.root).expanduser())
    return _checked_faces(settings)


def _named(name: str) -> Sequence[DegradationRecipe]:
    return load_joint(name) if name in joint_names() else [load_recipe(name)]


def _check_draws(settings: DatasetConfig) -> None:
    checked_split(settings.split)
    if settings.n is not None and settings.n < 1:
        raise UserError(f"n: {settings.n} must be 1 or more")
    if not 0 <= settings.seed < 2**32:
        raise UserError(f"seed: {settings.seed} must lie in [0, {2**32 - 1}]")


def _output_folder(settings: DatasetConfig) -> Path:
    if settings.output is None:
        raise UserError(f"output: not given; write output=<folder of the {settings.action}>")
    return Path(settings.output).expanduser()


def _write_sheet(
    output: Path, source: FaceSource, faces: range, recipes: Sequence[DegradationRecipe], seed: int
) -> None:
    from src.data.image_file import write_png
    from src.degradation.chain import chain_of
    from src.degradation.engine import degrade
    from src.faces.grid import image_grid

    chains = [chain_of(recipe) for recipe in recipes]
    rows = []
    for index in faces:
        hq = source.image(index)
        rows.append([hq, *(degrade(hq, chain, seed=seed, index=index) for chain in chains)])
    labels, names = ["HQ", *(chain.name for chain in chains)], [source.name(index) for index in faces]
    write_png(output, image_grid(rows, column_labels=labels, row_labels=names))


def _checked_benchmark(folder: Path, size: int) -> str | None:
    """What a folder is, if it is a frozen benchmark or a published test set."""
    from src.data.benchmark_layouts import load_layout, recognise
    from src.data.frozen_benchmark import load_frozen
    from src.data.frozen_manifest import is_frozen

    if is_frozen(folder):
        frozen = load_frozen(folder)
        return f"{frozen.name}: {len(frozen)} faces of {frozen.size} px, every file as written, hash {frozen.hash}"
    layout = recognise(folder) if folder.is_dir() else None
    if layout is None or layout.expected is None:
        return None
    loaded = load_layout(folder, size)
    kind = "pairs" if loaded.hq is not None else "low-quality faces"
    lines = [f"{layout.title}: {len(loaded):,} {kind}, all decoded", *loaded.notes]
    return "\n".join(lines if layout.notice is None else [*lines, layout.notice])


def _checked_store(folder: Path) -> str:
    from src.data.packed_store import PackedStore

    store = PackedStore(folder)
    differing = list(store.differing(range(len(store.index))))
    if differing:
        raise UserError(
            f"{folder}: {len(differing)} of {len(store.index):,} faces differ from what was packed, first {differing[0]}; "
            "pack the faces again"
        )
    return f"{len(store.index):,} faces of {store.facts.size} px, every one as packed"


def _checked_faces(settings: DatasetConfig) -> str:
    from src.data.source_check import check_source

    found = check_source(settings.data, size=settings.size, workers=settings.workers)
    if not found.usable:
        raise UserError(f"the faces cannot be used as they are.\n{found}")
    return str(found)
