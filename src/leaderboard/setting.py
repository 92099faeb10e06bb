"""How the setting of a row is shown: the fidelity weight w and whatever else of the method was varied within an arm."""

from collections.abc import Sequence

from src.leaderboard.row import Row

NO_SETTING = "–"


def setting_text(row: Row) -> str:
    """`w 0.5`, `start 400, steps 20`: the fidelity weight and the knobs that differ within the arm; an en dash if none."""
    parts = [f"w {row.fidelity:g}"] if row.has_knob else []
    values = dict(row.setting)
    parts += [f"{name} {values[name]}" for name in row.varied if name in values]
    return ", ".join(parts) or NO_SETTING


def setting_heading(rows: Sequence[Row]) -> str:
    """Heading of a column of settings: `w` where nothing else was varied."""
    return "setting" if any(row.varied for row in rows) else "w"


def setting_cell(row: Row, heading: str) -> str:
    """The setting below `setting_heading`: below `w` the bare number."""
    return setting_text(row).removeprefix("w ") if heading == "w" else setting_text(row)


def named(row: Row) -> str:
    """Arm with its setting in brackets, if it has one."""
    text = setting_text(row)
    return row.arm if text == NO_SETTING else f"{row.arm} ({text})"
