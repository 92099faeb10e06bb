"""The name of an arm as shown: DifFace and the backbone that it refines were trained as one arm, but are two methods."""

from src.tracking.records import Record

DIFFACE = "difface"
BACKBONE = "difface_backbone"


def arm_label(record: Record) -> str:
    """`DifFace swinir` and, of its restoration backbone by itself, `swinir alone`; any other arm as the record names it."""
    if record.restorer == DIFFACE and DIFFACE not in record.arm.lower():
        return f"DifFace {record.arm}"
    return f"{record.arm} alone" if record.restorer == BACKBONE else record.arm
