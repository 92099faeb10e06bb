"""How the setting of a row is shown: the fidelity weight w and whatever else of the method was varied within an arm."""

from collections.abc import Mapping, Sequence

from src.leaderboard.row import Row

NO_SETTING = "–"
_SAMPLER = ("eta", "solver", "start", "steps")
"""Knobs of a diffusion sampler, shown together: none of them says anything without the others."""


def setting_text(row: Row) -> str:
    """`w 0.5`, `start 400, ddim 20, eta 0.5`: the fidelity weight and the knobs that differ within the arm; an en dash if
    none. The setting of a sampler is named whole.
    """
    weight = [f"w {row.fidelity:g}"] if row.has_knob else []
    return ", ".join(weight + knob_texts(shown_knobs(row))) or NO_SETTING


def shown_knobs(row: Row) -> dict[str, str]:
    """The knobs besides w that are shown of a row, by name, with their values as text."""
    values = dict(row.setting)
    names = {*row.varied, *(_SAMPLER if "solver" in values else ())}
    return {name: value for name, value in values.items() if name in names}


def knob_texts(knobs: Mapping[str, str]) -> list[str]:
    """Each knob with its value; the start step first, and the steps behind their solver: `start 400`, `ddim 20`."""
    rest = dict(knobs)
    start = [f"start {rest.pop('start')}"] if "start" in rest else []
    solver = [" ".join([rest.pop("solver"), *_taken(rest, "steps")])] if "solver" in rest else []
    return start + solver + [f"{name} {value}" for name, value in rest.items()]


def _taken(knobs: dict[str, str], name: str) -> list[str]:
    return [knobs.pop(name)] if name in knobs else []


def setting_heading(rows: Sequence[Row]) -> str:
    """Heading of a column of settings: `w` where nothing else is shown."""
    return "setting" if any(shown_knobs(row) for row in rows) else "w"


def setting_cell(row: Row, heading: str) -> str:
    """The setting below `setting_heading`: below `w` the bare number."""
    return setting_text(row).removeprefix("w ") if heading == "w" else setting_text(row)


def named(row: Row) -> str:
    """Arm with its setting in brackets, if it has one."""
    text = setting_text(row)
    return row.arm if text == NO_SETTING else f"{row.arm} ({text})"
