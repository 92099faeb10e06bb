"""Names and messages that others wrote, fit to be printed: a terminal acts on control characters instead of showing them."""

import re
from typing import Any

UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, what turns the direction of writing, and halves of characters."""
LINES = re.compile(r"[\t\n]+")


def printable(text: str) -> str:
    r"""The text with every `UNSEEN` character as its escape, like `\x1b`."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def one_line(text: str) -> str:
    """`printable`, with a blank in the place of line breaks and tabs."""
    return printable(LINES.sub(" ", text))


def is_plain(text: str) -> bool:
    """Whether a name holds nothing that `one_line` would change."""
    return one_line(text) == text


def printable_texts(value: Any) -> Any:
    """What a JSON file says, with every text and key made `printable`."""
    if isinstance(value, dict):
        return {printable(key): printable_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [printable_texts(item) for item in value]
    return printable(value) if isinstance(value, str) else value
