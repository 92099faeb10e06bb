"""Which records may stand in one ranking: same faces, same definitions, same number of images, known origin."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from src.leaderboard.definition import fingerprint, images_asked, is_distribution, is_guides_view, metric_for
from src.settings.errors import UserError
from src.tracking.provenance import incompatible_packages
from src.tracking.records import FACE_COLUMN, SEVERITY_COLUMN, MetricValue, Record, StoredRecord


@dataclass(frozen=True)
class Protocol:
    """What the rows of one ranking have in common."""

    metric: str
    """Id of the primary metric."""
    benchmark: dict
    measured: dict[str, MetricValue]
    """By metric id: a value whose definition and number of images the others must match."""
    packages: dict[str, str]
    """Versions of what measured these values; empty where they are older than such records."""
    per_image: bool
    """Whether the primary metric has per-image values, so that differences have intervals."""


def protocol_of(records: Sequence[StoredRecord], primary: str) -> Protocol | None:
    """The protocol of most records of one benchmark (of the newest, between equals).

    Args:
        primary: role or metric id that decides.

    Returns:
        None if no finished record has that metric.
    """
    usable = [entry for entry in records if entry.record.status == "finished" and metric_for(entry.record, primary)]
    if not usable:
        return None
    arms = [entry for entry in usable if not entry.record.baseline] or usable
    main = _most_common(arms, lambda entry: _key(entry.record, primary))
    same = [entry for entry in arms if _key(entry.record, primary) == _key(main.record, primary)]
    metric = metric_for(main.record, primary)
    assert metric is not None
    measured = {name: _typical(same, name) for name in _names(same)}
    per_image = any(metric in _columns(entry) for entry in same)
    return Protocol(metric, main.record.benchmark, measured, _packages(same), per_image)


def difference(stored: StoredRecord, protocol: Protocol, primary: str) -> str | None:
    """Why a finished record cannot be ranked with the others; None if it can."""
    record = stored.record
    if missing := lacking(record):
        return missing
    if record.benchmark.get("hash") != protocol.benchmark.get("hash"):
        return f"other benchmark: {benchmark_name(record.benchmark)}, not {benchmark_name(protocol.benchmark)}"
    metric = metric_for(record, primary)
    if metric != protocol.metric:
        return f"{primary} is {metric or 'not measured'}, not {protocol.metric}"
    for name, measured in record.metrics.items():
        if reason := _other_measure(name, measured, protocol.measured.get(name)):
            return reason
    if changed := incompatible_packages(record.packages, protocol.packages):
        return f"measured by packages that are not compatible ({', '.join(changed)}); evaluate it again"
    if record.metrics[protocol.metric].value is None:
        return f"{protocol.metric} could not be measured on any image"
    return _missing_images(stored, protocol)


def benchmark_name(benchmark: dict) -> str:
    """Readable name, size and the first digits of the hash."""
    return f"{benchmark.get('name', 'unnamed')} (n={benchmark.get('n', '?')}, {str(benchmark.get('hash', '?'))[:8]})"


def lacking(record: Record) -> str | None:
    """The sentence that names what is missing to know where a record's numbers come from; None if nothing is."""
    missing = [name for name, value in _provenance(record).items() if not value]
    return f"its record lacks {', '.join(missing)}" if missing else None


def _provenance(record: Record) -> dict[str, object]:
    # What interpolates has no weights whose hash could be missing.
    has_none = record.cost is not None and record.cost.parameters == 0
    weights = record.weights or record.baseline or has_none
    return {"identity": record.identity, "benchmark hash": record.benchmark.get("hash"), "weights hashes": weights}


def _other_measure(name: str, measured: MetricValue, usual: MetricValue | None) -> str | None:
    if usual is None:
        return None
    # Guides differ between methods and between seeds; what they see is shown, and compared with nothing.
    if not is_guides_view(measured) and fingerprint(measured.definition) != fingerprint(usual.definition):
        changed = sorted(
            key
            for key in {*measured.definition, *usual.definition}
            if measured.definition.get(key) != usual.definition.get(key)
        )
        return f"other definition of {name} ({', '.join(changed)})"
    # A distance between sets of another size is refused by itself: the other metrics of the row can be compared.
    if not is_distribution(measured) and images_asked(measured) != images_asked(usual):
        return f"{name} over {images_asked(measured)} images, not {images_asked(usual)}"
    return None


def _missing_images(stored: StoredRecord, protocol: Protocol) -> str | None:
    if not protocol.per_image:
        return None
    try:
        table = stored.per_image()
    except UserError as error:
        return str(error)
    if table is None or protocol.metric not in table:
        return f"per-image values of {protocol.metric} are missing"
    return None


def _columns(stored: StoredRecord) -> set[str]:
    try:
        table = stored.per_image()
    except UserError:
        return set()
    return set() if table is None else set(table.columns) - {FACE_COLUMN, SEVERITY_COLUMN}


def _key(record: Record, primary: str) -> Hashable:
    metric = metric_for(record, primary) or primary
    measured = record.metrics.get(metric)
    count = images_asked(measured) if measured else 0
    definition = fingerprint(measured.definition) if measured else ""
    return record.benchmark.get("hash"), metric, definition, count


def _packages(records: Sequence[StoredRecord]) -> dict[str, str]:
    told = [entry for entry in records if entry.record.packages]
    return (
        _most_common(told, lambda entry: tuple(sorted(entry.record.packages.items()))).record.packages if told else {}
    )


def _names(records: Sequence[StoredRecord]) -> list[str]:
    return list(dict.fromkeys(name for entry in records for name in entry.record.metrics))


def _typical(records: Sequence[StoredRecord], name: str) -> MetricValue:
    having = [entry for entry in records if name in entry.record.metrics]

    def key(entry: StoredRecord) -> Hashable:
        measured = entry.record.metrics[name]
        return fingerprint(measured.definition), images_asked(measured)

    return _most_common(having, key).record.metrics[name]


def _most_common(records: Sequence[StoredRecord], key: Callable[[StoredRecord], Hashable]) -> StoredRecord:
    """The newest record of the most frequent key; of equally frequent keys, that with the newest record."""
    counts = Counter(key(entry) for entry in records)
    return max(records, key=lambda entry: (counts[key(entry)], entry.record.created))
