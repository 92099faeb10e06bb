"""The figures of a study as a whole: what its settings trade, held against a curve, a starting point or a control."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TypeVar

from src.leaderboard.evaluations_curve import SolverLines, solver_lines
from src.leaderboard.evaluations_curve_figure import evaluations_figure
from src.leaderboard.guidance_plane import guidance_planes
from src.leaderboard.guidance_plane_figure import guidance_figure
from src.leaderboard.guidance_plane_reading import guidance_grid, guidance_readings
from src.leaderboard.latent_size import latent_size_grid, latent_size_reading, latent_sizes
from src.leaderboard.latent_size_figure import latent_size_figure
from src.leaderboard.outside_curve import outside_curves
from src.leaderboard.outside_curve_figure import outside_figure
from src.leaderboard.outside_curve_reading import outside_grid, outside_readings
from src.leaderboard.start_curve import start_curves, start_reading
from src.leaderboard.start_curve_figure import start_figure
from src.leaderboard.study import Ranking
from src.leaderboard.study_figure import StudyFigure
from src.leaderboard.sweep import SweepLine
from src.leaderboard.sweep_grid import sweep_grid

_BANDS = (
    "Bands are 95 % intervals of the paired difference to the {noun} alone, drawn around the value: where one keeps off "
    "the {noun}'s level (thin line), the two are told apart. Each setting is tested by itself, without a correction for "
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


_COMPRESSED = (
    "The autoencoder alone, on clean faces: what each latent can hold at most, f the factor of down-sampling. Bars are 95 % "
    "intervals of the paired difference to the largest latent (thin line), drawn around the value: one that keeps off the "
    "line tells the two apart. Each size is tested by itself, without a correction for trying several. A Fréchet distance is "
    "one number for a set of faces and has no interval."
)

_GUIDED = (
    "A curve a mask, over the scale of the guidance (numbers at the marks; of the controls the last alone), all from the "
    "face without guidance; identity is measured by a recogniser that never guided. Bars are 95 % intervals of the paired "
    "difference to no guidance, drawn around the value; a Fréchet distance has no interval. Each setting is tested by "
    "itself, without a correction for trying several. Hollow marks: led to another target than the recovered face. Right: "
    "the same settings as the recogniser that guided sees them; above the dashed line it sees more gain than the judge, "
    "which is over-fitting to the guide (cosines of two recognisers differ in scale: gains compare roughly)."
)

_Found = Iterator[StudyFigure]


def sweep_figures(study: str, rankings: Sequence[Ranking], stem: str, resamples: int, seed: int) -> list[StudyFigure]:
    """CodeFormer++ against CodeFormer's own curve, what latents of several sizes hold, identity guidance under several masks,
    and error against start and quality against network evaluations of methods that refine; those that the records have
    the settings for.

    Args:
        stem: what sets the files apart from those of other studies.
    """
    makers = (_outside, _latent_size, _guidance, _start, _evaluations)
    return [figure for maker in makers for figure in maker(study, rankings, stem, resamples, seed)]


def _outside(study: str, rankings: Sequence[Ranking], stem: str, resamples: int, seed: int) -> _Found:
    curves = outside_curves(rankings, resamples, seed)
    if curves:
        yield StudyFigure(
            file=f"outside{stem}.png",
            heading="Outside CodeFormer's own curve?",
            caption=_REACHED,
            readings=tuple(text for found in curves for text in outside_readings(found)),
            grid=outside_grid(curves),
            draw=partial(outside_figure, curves, f"{study}: identity against Fréchet distance"),
        )


def _latent_size(study: str, rankings: Sequence[Ranking], stem: str, resamples: int, seed: int) -> _Found:
    found = latent_sizes(rankings, resamples, seed)
    if found:
        yield StudyFigure(
            file=f"latent_size{stem}.png",
            heading="What a latent of each size keeps",
            caption=_COMPRESSED,
            readings=tuple(map(latent_size_reading, found)),
            grid=latent_size_grid(found),
            draw=partial(latent_size_figure, found, f"{study}: reconstruction of clean faces against latent size"),
        )


def _guidance(study: str, rankings: Sequence[Ranking], stem: str, resamples: int, seed: int) -> _Found:
    planes = guidance_planes(rankings, resamples, seed)
    if planes:
        yield StudyFigure(
            file=f"guidance{stem}.png",
            heading="What identity guidance pays under each mask",
            caption=_GUIDED,
            readings=tuple(text for plane in planes for text in guidance_readings(plane)),
            grid=guidance_grid(planes),
            draw=partial(guidance_figure, planes, f"{study}: identity guidance under a mask"),
        )


def _start(study: str, rankings: Sequence[Ranking], stem: str, resamples: int, seed: int) -> _Found:
    for own, (file, of_method) in _by_refinement(start_curves(rankings, resamples, seed)):
        refinement = own[0].refinement
        noun = refinement.noun
        heading = f"Error against {refinement.start_name}{of_method}"
        yield StudyFigure(
            file=f"start{file}{stem}.png",
            heading=heading,
            caption=f"Pixel error is a face's root mean squared error as a share of that of the {refinement.full_noun} "
            f"alone, averaged over faces. {refinement.start_meaning}{_BANDS.format(noun=noun)}",
            readings=tuple(map(start_reading, own)),
            grid=sweep_grid(own, refinement.start),
            draw=partial(start_figure, own, f"{study}: {_within(heading)}"),
        )


def _evaluations(study: str, rankings: Sequence[Ranking], stem: str, resamples: int, seed: int) -> _Found:
    for own, (file, of_method) in _by_refinement(solver_lines(rankings, resamples, seed)):
        noun = own[0].refinement.noun
        heading = f"Quality against network evaluations{of_method}"
        yield StudyFigure(
            file=f"evaluations{file}{stem}.png",
            heading=heading,
            caption=f"Evaluations of a face, the {noun}'s included, at one start. {_BANDS.format(noun=noun)}",
            readings=tuple(group.reading for group in own),
            grid=sweep_grid([line for group in own for line in group.lines], "evaluations"),
            draw=partial(evaluations_figure, own, f"{study}: {_within(heading)}"),
        )


_Lines = TypeVar("_Lines", SweepLine, SolverLines)


def _by_refinement(found: Sequence[_Lines]) -> Iterator[tuple[list[_Lines], tuple[str, str]]]:
    """What belongs to each refinement, with what sets its file and its heading apart; empty texts where there is but one."""
    refinements = list(dict.fromkeys(entry.refinement for entry in found))
    for refinement in refinements:
        own = [entry for entry in found if entry.refinement == refinement]
        yield own, (f"_{refinement.methods[0]}", f" of {refinement.title}") if len(refinements) > 1 else ("", "")


def _within(heading: str) -> str:
    """The heading within a sentence."""
    return heading[0].lower() + heading[1:]
