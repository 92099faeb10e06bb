"""`python -m src.weights`: published weights, the bundled ones, and export.

python -m src.weights list                                          what there is, its licence, and where it lies
python -m src.weights fetch codeformer retinaface_resnet50          fetch and verify
python -m src.weights verify                                        compare every hash
python -m src.weights export <run folder or file> --output net.onnx write a network for other programs
python -m src.weights import                                        published networks as runs, to train on
python -m src.weights bundle <run folder>                           copy a run's networks into the repository
"""

import argparse
import difflib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from src.checkpoints.catalogue import CATALOGUE, expected_sha256, find_weights, hash_source, weights_folder
from src.checkpoints.entries import WeightsEntry
from src.checkpoints.files import sha256_of
from src.checkpoints.store import BUNDLED, StoredRun, read_run
from src.config.command import friendly_errors
from src.settings.errors import UserError

PUBLISHED_UPSTREAM = ("vqgan", "vqgan_discriminator", "codeformer_stage2")
"""Entries of the catalogue on which stage III is trained (codeformer.md 2)."""
FORMATS = {".pth": "pth", ".safetensors": "safetensors", ".onnx": "onnx"}
"""Format by the suffix of `--output`."""
LISTED = (
    *("group", "file", "url", "licence", "is_non_commercial", "description"),
    *("sha256", "sha256_source", "bytes", "network"),
)
"""What `list --json` tells of an entry, beside its path."""


@friendly_errors
def main(arguments: list[str] | None = None) -> int:
    """Run one action; exit status 1 if `verify` found a wrong file."""
    chosen = _parser().parse_args(arguments)
    action: Callable[[argparse.Namespace], int] = chosen.run
    return action(chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m src.weights", description="Published and bundled weights, and export."
    )
    actions = parser.add_subparsers(required=True, metavar="list | fetch | verify | export | import | bundle")
    listing = actions.add_parser("list", help="show published and bundled weights")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(run=_list)
    fetching = actions.add_parser("fetch", help="fetch published weights and verify them")
    fetching.add_argument("names", nargs="+", metavar="name")
    fetching.set_defaults(run=_fetch)
    verifying = actions.add_parser("verify", help="compare the hashes of all weights that are here")
    verifying.add_argument("names", nargs="*", metavar="name")
    verifying.set_defaults(run=_verify)
    for one in (listing, fetching, verifying):
        one.add_argument("--weights-dir", help="folder of weights; default $BFR_WEIGHTS_DIR, else the user's cache")
    _add_export(actions.add_parser("export", help="write a network for other programs"))
    _add_import(
        actions.add_parser("import", help="make runs of published networks, so that training can build on them")
    )
    bundling = actions.add_parser("bundle", help="copy a run's networks, in half precision, into the repository")
    bundling.add_argument("source", type=Path, help="run folder")
    bundling.add_argument(
        "--exact", action="store_true", help="in full precision, where other bundled runs were trained on these weights"
    )
    bundling.set_defaults(run=_bundle)
    return parser


def _add_export(export: argparse.ArgumentParser) -> None:
    export.add_argument("source", type=Path, help="run folder or weights file")
    export.add_argument("--output", type=Path, required=True, help="file to write")
    export.add_argument("--format", choices=sorted(FORMATS.values()), help="default: by the suffix of --output")
    export.add_argument("--layout", help="published network whose keys, shapes and dtypes the file must have exactly")
    export.add_argument("--kind", help="network to take: of a run that holds several, or that a published file is")
    export.add_argument("--adain", action=argparse.BooleanOptionalAction, help="match code statistics (onnx)")
    export.set_defaults(run=_export)


def _add_import(importing: argparse.ArgumentParser) -> None:
    for name in PUBLISHED_UPSTREAM:
        importing.add_argument(f"--{name.replace('_', '-')}", type=Path, help="file; default: the catalogue's, fetched")
    importing.add_argument("--run-store", type=Path, default=Path("runs"), help="folder of all runs")
    importing.add_argument("--weights-dir", help="folder of weights; default $BFR_WEIGHTS_DIR, else the user's cache")
    importing.set_defaults(run=_import)


def _list(chosen: argparse.Namespace) -> int:
    places = {name: find_weights(name, chosen.weights_dir) for name in CATALOGUE}
    if chosen.json:
        entries = {name: {field: getattr(entry, field) for field in LISTED} for name, entry in CATALOGUE.items()}
        print(json.dumps({name: fact | {"path": places[name] and str(places[name])} for name, fact in entries.items()}))
        return 0
    print(f"published weights, kept in {weights_folder(chosen.weights_dir)}")
    for group in dict.fromkeys(entry.group for entry in CATALOGUE.values()):
        print(f"\n{group}")
        for name, entry in CATALOGUE.items():
            if entry.group == group:
                print(_line(name, entry, places[name]))
    print("\nbundled with the repository")
    for run in _bundled_runs():
        print(
            f"  {run.status.stage:23}{_size(_bundled_bytes(run)):>8}  run {run.status.name}\n{'':6}here: {run.folder}"
        )
    return 0


def _line(name: str, entry: WeightsEntry, place: Path | None) -> str:
    line = f"  {name:23}{_size(entry.bytes):>8}  {entry.description:43}{entry.licence}"
    return line if place is None else f"{line}\n{'':6}here: {place}"


def _size(count: int | None) -> str:
    """Decimal megabytes; nothing where the size is not known."""
    if not count:
        return ""
    return f"{count / 1e6:.1f} MB" if count < 10_000_000 else f"{count / 1e6:.0f} MB"


def _bundled_bytes(run: StoredRun) -> int:
    return sum(file.stat().st_size for file in run.folder.glob("weights/*.safetensors"))


def _fetch(chosen: argparse.Namespace) -> int:
    from src.checkpoints.download import fetch_weights

    for name in _known(chosen.names):
        print(fetch_weights(name, chosen.weights_dir))
    return 0


def _verify(chosen: argparse.Namespace) -> int:
    verdicts = [_verdict(name, chosen.weights_dir) for name in _known(chosen.names) or CATALOGUE]
    if not chosen.names:
        for run in _bundled_runs():
            verdicts += [_bundled_verdict(run, kind, expected) for kind, expected in run.status.weights.items()]
    for _, sentence in verdicts:
        print(sentence)
    return 0 if all(right for right, _ in verdicts) else 1


def _verdict(name: str, weights_dir: str | None) -> tuple[bool, str]:
    """Whether a file is not wrong, and a line about it."""
    path = find_weights(name, weights_dir)
    if path is None:
        return True, f"-      {name}: not here"
    expected, found = expected_sha256(name, path), sha256_of(path)
    if expected is None:
        return True, f"?      {name}: no hash is published; {path} has {found}"
    if not found.startswith(expected):
        return False, f"WRONG  {name}: {path} has {found}, expected {expected} ({hash_source(CATALOGUE[name])})"
    return True, f"ok     {name}: {path} ({hash_source(CATALOGUE[name])})"


def _bundled_verdict(run: StoredRun, kind: str, expected: str) -> tuple[bool, str]:
    try:
        path = run.weights_file(kind)
    except UserError as error:
        return False, f"WRONG  bundled {kind}: {error}"
    found = sha256_of(path)
    if found != expected:
        return False, f"WRONG  bundled {kind}: {path} has {found}, expected {expected}"
    return True, f"ok     bundled {kind}: {path.name} of {run.status.name}"


def _export(chosen: argparse.Namespace) -> int:
    file_format = chosen.format or FORMATS.get(chosen.output.suffix)
    if file_format is None:
        raise UserError(f"--output: {chosen.output} ends in none of {', '.join(FORMATS)}; say which --format is meant")
    from src.checkpoints.export import export_weights

    facts = {"layout": chosen.layout, "kind": chosen.kind, "adain": chosen.adain}
    print(export_weights(chosen.source, chosen.output, file_format=file_format, **facts))
    return 0


def _import(chosen: argparse.Namespace) -> int:
    from src.checkpoints.download import fetch_weights

    given = {name: getattr(chosen, name) for name in PUBLISHED_UPSTREAM}
    files = [path or fetch_weights(name, chosen.weights_dir) for name, path in given.items()]
    from src.checkpoints.import_published import import_published

    vqgan, code_predictor = import_published(files[0], files[1], files[2], chosen.run_store)
    print(
        f"train on them with: scale=paper512 upstream.vqgan={vqgan.folder} upstream.code_predictor={code_predictor.folder}"
    )
    return 0


def _bundle(chosen: argparse.Namespace) -> int:
    from src.checkpoints.bundle import bundle_run, copied, halved

    print(f"bundled into {bundle_run(chosen.source, BUNDLED, copied if chosen.exact else halved)}")
    return 0


def _bundled_runs() -> list[StoredRun]:
    runs = (read_run(status.parent) for status in sorted(BUNDLED.glob("*/*/status.json")))
    return [run for run in runs if run is not None]


def _known(names: list[str]) -> list[str]:
    for name in names:
        if name not in CATALOGUE:
            close = difflib.get_close_matches(name, CATALOGUE, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(close)}?" if close else "`python -m src.weights list` shows them"
            raise UserError(f"{name!r} is no weights file of the catalogue; {hint}")
    return names


if __name__ == "__main__":
    sys.exit(main())
