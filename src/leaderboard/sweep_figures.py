"""The figures of a study as a whole: sweeps over start step and network evaluations, and CodeFormer++ against the w curve."""

from collections.abc import Sequence
from functools import partial

from src.leaderboard.evaluations_curve import solver_lines
from src.leaderboard.evaluations_curve_figure import evaluations_figure
from src.leaderboard.outside_curve import outside_curves
from src.leaderboard.outside_curve_figure import outside_figure
from src.leaderboard.outside_curve_reading import outside_grid, outside_readings
from src.leaderboard.start_curve import start_curves, start_reading
from src.leaderboard.start_curve_figure import start_figure
from src.leaderboard.study import Ranking
from src.leaderboard.study_figure import StudyFigure
from src.leaderboard.sweep_grid import sweep_grid

_BANDS = (
    "Bands are 95 % intervals of the paired difference to the backbone alone, drawn around the value: where one keeps off "
    "the backbone's level (thin line), the two are told apart. Each setting is tested by itself, without a correction for "
    "trying several. Solid lines: degradations of a recipe that the arm was trained on; dashed: of another."
)

_REACHED = (
    "Shaded: what the curve reaches, every pair of identity and distance that some w is at least as good as in both, the "
    "measured w joined by straight lines. Filled marks lie outside, and in 97.5 % of the resamples too. Identity is "
    "measured on every face: margins, their 95 % intervals (the bar around a mark is that of the margin in identity) and "
    "shares are over resamples of the faces, the same for a point and the curve. A Fréchet distance is one number for a set "
    "of faces: it has no interval and is held as measured, so that nothing here says how sure a position along that axis "
    "is, or what other seeds, faces and degradations would give."
)


def sweep_figures(study: str, rankings: Sequence[Ranking], stem: str, resamples: int, seed: int) -> list[StudyFigure]:
    """Error against start step, quality against network evaluations, and CodeFormer++ against CodeFormer's own curve, where
    the records have the settings for it.

    Args:
        stem: what sets the files apart from those of other studies.
    """
    found = (figure(study, rankings, stem, resamples, seed) for figure in (_outside, _start, _evaluations))
    return [figure for figure in found if figure is not None]


def _outside(study: str, rankings: Sequence[Ranking], stem: str, resamples: int, seed: int) -> StudyFigure | None:
    curves = outside_curves(rankings, resamples, seed)
    if not curves:
        return None
    return StudyFigure(
        file=f"outside{stem}.png",
        heading="Outside CodeFormer's own curve?",
        caption=_REACHED,
        readings=tuple(text for found in curves for text in outside_readings(found)),
        grid=outside_grid(curves),
        draw=partial(outside_figure, curves, f"{study}: identity against Fréchet distance"),
    )


def _start(study: str, rankings: Sequence[Ranking], stem: str, resamples: int, seed: int) -> StudyFigure | None:
    lines = start_curves(rankings, resamples, seed)
    if not lines:
        return None
    heading = "Error against start step"
    return StudyFigure(
        file=f"start{stem}.png",
        heading=heading,
        caption="Pixel error is a face's root mean squared error as a share of that of the restoration backbone alone, "
        f"averaged over faces. {_BANDS}",
        readings=tuple(map(start_reading, lines)),
        grid=sweep_grid(lines, "N"),
        draw=partial(start_figure, lines, f"{study}: {heading[0].lower()}{heading[1:]} $N$"),
    )


def _evaluations(study: str, rankings: Sequence[Ranking], stem: str, resamples: int, seed: int) -> StudyFigure | None:
    groups = solver_lines(rankings, resamples, seed)
    if not groups:
        return None
    heading = "Quality against network evaluations"
    return StudyFigure(
        file=f"evaluations{stem}.png",
        heading=heading,
        caption=f"Evaluations of a face, the backbone's included, at one start step. {_BANDS}",
        readings=tuple(group.reading for group in groups),
        grid=sweep_grid([line for group in groups for line in group.lines], "evaluations"),
        draw=partial(evaluations_figure, groups, f"{study}: {heading[0].lower()}{heading[1:]}"),
    )
