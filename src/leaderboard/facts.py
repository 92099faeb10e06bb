"""Facts of a leaderboard: what was measured how, on which faces, by which code and on which machine."""

from collections.abc import Mapping, Sequence

from src.leaderboard.columns import metric_order
from src.leaderboard.comparable import Protocol, benchmark_name
from src.leaderboard.definition import direction_of
from src.leaderboard.row import Cell, Row
from src.leaderboard.study import StudyTable
from src.tracking.provenance import UNKNOWN


def study_facts(table: StudyTable) -> list[str]:
    """The question, what decides, machine and commit."""
    rows = all_rows(table)
    return [
        f"Question: {table.question or 'none was written down'}",
        f"Primary metric: {table.primary} ({table.primary_source})",
        f"Hardware: {hardware(rows)}",
        f"Commit: {commits(rows)}",
    ]


def all_rows(table: StudyTable) -> list[Row]:
    """The rows of every ranking, then those that stand apart."""
    return [*(row for ranking in table.rankings for row in ranking.rows), *table.apart]


def benchmark_line(benchmark: dict) -> str:
    """Name, n, start of the hash, split and recipe."""
    about = [f"{key} {benchmark[key]}" for key in ("split", "recipe") if benchmark.get(key)]
    return f"Benchmark: {', '.join([benchmark_name(benchmark), *about])}"


def definitions(rows: Sequence[Row], protocol: Protocol) -> list[str]:
    """One line a metric: id, direction, number of images, what measures it and the start of its hash."""
    return [definition_line(name, _first_cell(name, rows)) for name in metric_order(rows, protocol)]


def definition_line(name: str, cell: Cell) -> str:
    """Id, direction, number of images, formula, source, extractor and reference by the start of their hashes, version."""
    definition = cell.definition
    better = "lower is better" if direction_of(definition) == "lower" else "higher is better"
    known = [str(definition[key]) for key in ("formula", "source") if definition.get(key)]
    hashes = [
        f"{what} {str(definition[key])[:8]}"
        for what, key in (("extractor", "extractor_sha256"), ("reference", "reference_sha256"))
        if definition.get(key)
    ]
    version = f"version {definition.get('version', 1)}"
    return "; ".join([f"{name}: {better}", f"n={cell.n}", *known, *hashes, version])


def commits(rows: Sequence[Row]) -> str:
    """The commits of all records, shortened, with a mark where files were changed."""
    found = {(entry.record.commit, entry.record.dirty) for row in rows for entry in row.records}
    return ", ".join(f"{commit[:10]}{' with uncommitted changes' if dirty else ''}" for commit, dirty in sorted(found))


def hardware(rows: Sequence[Row]) -> str:
    """The machines that the costs were measured on."""
    records = [entry.record for row in rows for entry in row.records if entry.record.cost is not None]
    found = {str(record.hardware.get("gpu") or record.hardware.get("cpu") or UNKNOWN) for record in records}
    return "; ".join(sorted(found)) or UNKNOWN


def provenance_notes(rows: Sequence[Row]) -> list[str]:
    """What commits and machines say against comparing these rows."""
    found = {(entry.record.commit, entry.record.dirty) for row in rows for entry in row.records}
    notes = []
    if any(commit == UNKNOWN for commit, _ in found):
        notes.append("Some records were made outside a git checkout: the code that made them is not known.")
    if any(dirty for _, dirty in found):
        notes.append("Some records were made with uncommitted changes: the commit alone does not repeat them.")
    if len({commit for commit, _ in found}) > 1:
        notes.append("The records come from different commits.")
    notes += _package_notes([entry.record.packages for row in rows for entry in row.records])
    if ";" in hardware(rows):
        notes.append("Costs were measured on different machines and cannot be compared.")
    return notes


def _package_notes(packages: Sequence[Mapping[str, str]]) -> list[str]:
    """What the versions of packages that measured say; builds of one version for other devices count as one."""
    told = [versions for versions in packages if versions]
    if not told:
        return []
    notes = ["Some records do not say which package versions measured them."] if len(told) < len(packages) else []
    found = {name: {versions[name].partition("+")[0] for versions in told if name in versions} for name in told[0]}
    differing = [f"{name} {', '.join(sorted(versions))}" for name, versions in found.items() if len(versions) > 1]
    if differing:
        notes.append(
            f"Measured by different versions of packages, so that last digits can differ: {'; '.join(differing)}."
        )
    return notes


def missing_of(rows: Sequence[Row]) -> dict[str, str]:
    """Metric id to why it was not measured; the arms are named where others have measured it."""
    reasons: dict[str, str] = {}
    arms: dict[str, list[str]] = {}
    for row in rows:
        for name, sentence in row.records[-1].record.missing.items():
            reasons[name] = sentence
            arms.setdefault(name, []).append(row.arm)
    measured = {name for row in rows for name in row.cells}
    return {
        name: f"{sentence} (missing for {', '.join(dict.fromkeys(arms[name]))})" if name in measured else sentence
        for name, sentence in reasons.items()
    }


def _first_cell(name: str, rows: Sequence[Row]) -> Cell:
    comparable = [row for row in rows if name in row.cells and row.incomparable is None]
    return min(comparable, key=lambda row: (row.baseline, row.cells[name].refused is not None)).cells[name]
