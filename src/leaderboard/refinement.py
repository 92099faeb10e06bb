"""Methods that refine what another restorer makes of a face, and that restorer: trained as one arm, but two methods."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Refinement:
    """A sampler that starts, noised, from what a restorer makes of the degraded face in one pass."""

    methods: tuple[str, ...]
    """Names of the restorers that refine."""
    title: str
    """As shown."""
    alone: str
    """Name of the restorer that is refined, restoring alone."""
    noun: str
    """What that one is called in sentences."""
    full_noun: str
    """The same, where it is first named."""
    network: str
    """The network of both, by its name among a record's weights."""
    label: str
    """What is appended to an arm where it restores alone."""
    start: str
    """Symbol of the start in text."""
    start_name: str
    """What the start is called."""
    axis: str
    """The start as an axis of a figure."""
    start_meaning: str
    """What the start measures, as a sentence with a space behind it; empty where its name says so."""


DIFFACE = Refinement(
    methods=("difface", "difface_inpainting"),
    title="DifFace",
    alone="difface_backbone",
    noun="backbone",
    full_noun="restoration backbone",
    network="restoration_backbone",
    label="alone",
    start="N",
    start_name="start step",
    axis="start step $N$",
    start_meaning="",
)
CLR_FACE = Refinement(
    methods=("clr_face",),
    title="CLR-Face",
    alone="clr_face_encoder",
    noun="encoder",
    full_noun="encoder of degraded faces",
    network="latent_encoder",
    label="encoder alone",
    start="t0",
    start_name="start",
    axis="start $t_0$",
    start_meaning="The start t0 is a part of the noising process; 1 is pure noise. ",
)
REFINEMENTS = (DIFFACE, CLR_FACE)


def refinement_by(restorer: str) -> Refinement | None:
    """The refinement that a restorer performs; None if it refines nothing."""
    return next((entry for entry in REFINEMENTS if restorer in entry.methods), None)
