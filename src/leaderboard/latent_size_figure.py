"""The figure of what latents of several sizes keep."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from src.leaderboard.latent_size import ROLES, LatentSizes, role_heading
from src.leaderboard.palette import FIGURE_STYLE, Look, look_of
from src.leaderboard.sweep_panels import legend_entries, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 2


def latent_size_figure(lines: Sequence[LatentSizes], title: str) -> bytes:
    """PNG with a panel a role over the factor of down-sampling; a bar is the paired interval to the largest latent, whose
    level is the thin line."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    roles = [role for role in ROLES if any(role in line.roles for line in lines)]
    columns = min(_COLUMNS, len(roles))
    with matplotlib.rc_context(FIGURE_STYLE):
        rows, below = -(-len(roles) // columns), 0.2 * len(lines)
        figure = Figure(figsize=(3.2 * max(columns, 1.6), 2.1 * rows + 0.35 + below), layout="constrained")
        FigureCanvasAgg(figure)
        panels = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, role in zip(panels, roles, strict=False):
            _panel(axes, role, lines)
        for axes in panels[len(roles) :]:
            axes.set_axis_off()
        entries = legend_entries(figure)
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", fontsize=7)
        figure.suptitle(title, fontsize=9)
        return png_of(figure)


def _panel(axes: "Axes", role: str, lines: Sequence[LatentSizes]) -> None:
    for index, line in enumerate(lines):
        if line.known(role):
            _line(axes, role, line, look_of(index))
    _log2_axis(axes, sorted({point.downscale for line in lines for point in line.points}))
    axes.set_title(role_heading(role, lines), loc="left", fontsize=8)
    axes.grid(axis="y", linewidth=0.4, alpha=0.4)


def _line(axes: "Axes", role: str, line: LatentSizes, look: Look) -> None:
    known = line.known(role)
    style: dict[str, Any] = {"color": look.colour}
    label = f"{line.method} on {line.benchmark} (n = {line.n})"
    factors, values = [at for at, _ in known], [entry.value for _, entry in known]
    axes.plot(factors, values, marker=look.marker, markersize=4, linewidth=1.1, label=label, **style)
    axes.axhline(known[0][1].reference, linewidth=0.7, alpha=0.35, zorder=1, **style)
    for at, entry in known[1:]:
        if entry.bounds is not None:
            axes.plot([at, at], entry.bounds, linewidth=1.0, marker="_", markersize=5, **style)


def _log2_axis(axes: "Axes", factors: Sequence[int]) -> None:
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log", base=2)
    axes.set_xticks(factors, labels=[str(factor) for factor in factors])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(factors[0] / 1.25, factors[-1] * 1.25)
    axes.set_xlabel("factor of down-sampling $f$", fontsize=7)
