"""The W&B report of a study: what the leaderboard found, above panels that W&B draws from the study's runs."""

import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from src.leaderboard.comparable import benchmark_name
from src.leaderboard.definition import direction_of
from src.leaderboard.diagnostics_table import diagnostics_tables
from src.leaderboard.grids import ranking_grid
from src.leaderboard.render import markdown
from src.leaderboard.row import Row
from src.leaderboard.study import Ranking, StudyTable
from src.settings.errors import UserError
from src.tracking.wandb_final import BENCHMARK_HASH, FACES_PICTURE, FACES_TABLE, final_key, setting_of
from src.tracking.wandb_login import account_is_configured, server

_MOST_SCATTERS, _MOST_KNOBS, _MOST_METRICS = 6, 6, 8
_LONGEST_TITLE = 128
_NOT_IN_A_RUN = ("chosen", "recipes", "metrics")
"""Parts of a record's configuration that the W&B run does not have."""


def publish_report(tables: Sequence[StudyTable], *, project: str, entity: str | None, dry_run: bool) -> str:
    """Make one new report a study and return their addresses, a line each.

    Args:
        project: where the runs of the studies are, and where the reports go.
        entity: user or team; None takes the account's own.
        dry_run: send nothing; as without a login, the answer is what would be sent, as JSON.

    Raises:
        UserError: wandb-workspaces is not installed, or the server refused.
    """
    _check_installed()
    if dry_run or not account_is_configured():
        why = "dry_run" if dry_run else f"no API key for {server()}; run `wandb login`"
        specs = [_spec(_report(table, project, "")) for table in tables]
        return json.dumps({"sent": False, "why": why, "project": project, "reports": specs}, indent=2)
    return "\n".join(_sent(table, project, entity) for table in tables)


def _check_installed() -> None:
    try:
        # The package is written for the pydantic before, which today's deprecates.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import wandb_workspaces.reports.v2  # noqa: F401
    except ImportError:
        raise UserError("publish: the package wandb-workspaces is not installed; run `pip install .[report]`") from None


def _sent(table: StudyTable, project: str, entity: str | None) -> str:
    import wandb

    with _in_a_sentence(table, project):
        owner = entity or wandb.Api().default_entity
    report = _report(table, project, owner or "")
    with _in_a_sentence(table, project):
        report.save()
        return quote(report.url, safe=":/")


@contextmanager
def _in_a_sentence(table: StudyTable, project: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # wandb_workspaces raises bare Exception, and wandb-core's answers come as several unrelated classes.
        reason = " ".join(str(error).split())[:240] or type(error).__name__
        raise UserError(
            f"publish: {server()} did not take the report of {table.study} in project {project!r} ({reason}); send the "
            "runs first with `python -m src.leaderboard sync`, and check project and entity"
        ) from error


def _spec(report: Any) -> dict[str, Any]:
    model = report._to_model()
    return {
        "title": model.display_name,
        "description": model.description,
        "spec": model.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def _report(table: StudyTable, project: str, entity: str) -> Any:
    """A `wandb_workspaces.reports.v2.Report`; it is looked up on the server only with an entity."""
    import wandb_workspaces.reports.v2 as wr

    return wr.Report(
        project=project,
        entity=entity,
        title=table.study[:_LONGEST_TITLE],
        description=table.rankings[0].verdict if table.rankings else "Nothing could be compared.",
        blocks=list(_blocks(table, project, entity)),
        width="fluid",
    )


def _blocks(table: StudyTable, project: str, entity: str) -> Iterator[Any]:
    import wandb_workspaces.reports.v2 as wr

    yield wr.H1("Question")
    yield wr.P(table.question or "None was written down.")
    yield wr.P(f"Decided by {table.primary} ({table.primary_source}).")
    for ranking in table.rankings:
        yield wr.H1(f"Ranking on {benchmark_name(ranking.protocol.benchmark)}")
        yield wr.CalloutBlock(text=ranking.verdict)
        yield from _lists([ranking.recipe] if ranking.recipe else [])
        yield wr.MarkdownBlock(text=markdown(ranking_grid(ranking.rows, ranking.protocol)))
        yield from _lists([*ranking.notes, *(f"Not measured: {text}" for text in ranking.missing.values())])
        yield wr.PanelGrid(runsets=[_runset(table, ranking, project, entity)], panels=list(_panels(ranking)))
    for figure in table.figures:
        yield wr.H1(figure.heading)
        yield from _lists(figure.readings)
        yield wr.MarkdownBlock(text=markdown(figure.grid))
    for diagnostics in diagnostics_tables(table):
        yield wr.H1(diagnostics.heading)
        yield wr.P(diagnostics.note)
        yield wr.MarkdownBlock(text=markdown(diagnostics.grid))
    apart = [f"{row.arm}: {row.reason or row.status}" for row in table.apart]
    if apart:
        yield wr.H1("Apart from the ranking")
        yield from _lists(apart)
    yield from _lists(table.notes)


def _lists(lines: Sequence[str]) -> Iterator[Any]:
    import wandb_workspaces.reports.v2 as wr

    if lines:
        yield wr.UnorderedList(items=list(lines))


def _runset(table: StudyTable, ranking: Ranking, project: str, entity: str) -> Any:
    """The runs of the study's group, of one benchmark; best primary metric first, with the columns that the panels show."""
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces import expr

    setting = next(iter(shared_settings(ranking.rows)), None)
    metrics = [final_key(metric, setting) for metric in _metrics(ranking)]
    rising = direction_of(ranking.protocol.measured[ranking.protocol.metric].definition) == "lower"
    filters = [expr.Metric("Group") == table.study]
    if len(table.rankings) > 1:
        filters.append(expr.Config(BENCHMARK_HASH) == str(ranking.protocol.benchmark.get("hash")))
    knobs = [f"config:{_backend(knob)}" for knob in swept_knobs(ranking.rows)]
    return wr.Runset(
        project=project,
        entity=entity,
        name=table.study,
        filters=expr.And(*filters),
        order=[wr.OrderBy(wr.SummaryMetric(metrics[0]), ascending=rising)],
        visible_columns=["run:displayName", "run:jobType", *knobs, *(f"summary:{key}" for key in metrics)],
    )


def _panels(ranking: Ranking) -> Iterator[Any]:
    import wandb_workspaces.reports.v2 as wr

    yield from _scatters(ranking)
    yield wr.ParallelCoordinatesPlot(
        title="Knobs and final metrics; up is better", columns=list(_axes(ranking)), layout=wr.Layout(w=24, h=10)
    )
    yield wr.MediaBrowser(
        title="Fixed faces", media_keys=[FACES_PICTURE, FACES_TABLE], num_columns=1, layout=wr.Layout(w=24, h=12)
    )
    yield wr.WeavePanelSummaryTable(table_name=FACES_TABLE, layout=wr.Layout(w=24, h=16))
    yield wr.RunComparer(diff_only="split", layout=wr.Layout(w=24, h=12))


def _scatters(ranking: Ranking) -> Iterator[Any]:
    """Identity against Fréchet distance, a point a run, at every setting that arms share."""
    import wandb_workspaces.reports.v2 as wr

    if ranking.frontier is None:
        return
    identity, distance = ranking.frontier.identity_metric, ranking.frontier.distance_metric
    for setting in shared_settings(ranking.rows)[:_MOST_SCATTERS]:
        yield wr.ScatterPlot(
            title=f"Frontier at {setting}: {identity} against {distance}",
            x=wr.SummaryMetric(final_key(distance, setting)),
            y=wr.SummaryMetric(final_key(identity, setting)),
            layout=wr.Layout(w=12, h=10),
        )


def _axes(ranking: Ranking) -> Iterator[Any]:
    import wandb_workspaces.reports.v2 as wr

    for knob in ("label", *swept_knobs(ranking.rows)):
        yield wr.ParallelCoordinatesPlotColumn(wr.Config(knob), display_name=knob)
    setting = next(iter(shared_settings(ranking.rows)), None)
    for metric in _metrics(ranking):
        definition = ranking.protocol.measured[metric].definition
        yield wr.ParallelCoordinatesPlotColumn(
            wr.SummaryMetric(final_key(metric, setting)),
            display_name=f"{metric} ({setting})",
            inverted=direction_of(definition) == "lower",
        )


def shared_settings(rows: Sequence[Row]) -> list[str]:
    """Settings of the ranked rows as the keys of their runs name them, those that most arms have first."""
    arms: Counter[str] = Counter()
    for setting, _ in dict.fromkeys((setting_of(row.records[0].record), row.arm) for row in rows if row.ranked):
        arms[setting] += 1
    return [setting for setting, _ in arms.most_common()]


def swept_knobs(rows: Sequence[Row]) -> list[str]:
    """Paths into the configuration, `cft.adain`, whose values differ between ranked rows; shallow ones first."""
    configs = [_flat(entry.record.config) for row in rows if row.ranked for entry in row.records]
    paths = dict.fromkeys(path for config in configs for path in config)
    differing = [path for path in paths if len({repr(config.get(path)) for config in configs}) > 1]
    return sorted(differing, key=lambda path: path.count("."))[:_MOST_KNOBS]


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Numbers, texts and switches by their path; lists are no axis of a plot."""
    leaves: dict[str, Any] = {}
    for key, value in config.items():
        if not prefix and key in _NOT_IN_A_RUN:
            continue
        if isinstance(value, Mapping):
            leaves |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, bool | int | float | str):
            leaves[f"{prefix}{key}"] = value
    return leaves


def _metrics(ranking: Ranking) -> list[str]:
    """The primary metric, then the others as the records list them."""
    first = ranking.protocol.metric
    return [first, *(name for name in ranking.protocol.measured if name != first)][:_MOST_METRICS]


def _backend(path: str) -> str:
    first, _, rest = path.partition(".")
    return f"{first}.value" + (f".{rest}" if rest else "")
