"""The name of an arm as shown: a refinement and what it refines were trained as one arm, but are two methods."""

from src.leaderboard.refinement import REFINEMENTS, Refinement
from src.tracking.records import Record


def arm_label(record: Record) -> str:
    """`DifFace swinir` and, of its restoration backbone by itself, `swinir alone`; of CLR-Face `CLR-Face vp` and `vp encoder
    alone`; any other arm as the record names it."""
    for refinement in REFINEMENTS:
        if record.restorer == refinement.methods[0] and not _says_the_method(record.arm, refinement):
            return f"{refinement.title} {record.arm}"
        if record.restorer == refinement.alone:
            return f"{record.arm} {'alone' if refinement.noun in record.arm else refinement.label}"
    return record.arm


def _says_the_method(arm: str, refinement: Refinement) -> bool:
    return refinement.methods[0] in arm.lower().replace("-", "_")
