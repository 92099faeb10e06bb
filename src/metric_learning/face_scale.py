"""Lengths that are given for a face of 512 pixels, at the size of the face at hand."""

from src.faces.template import TEMPLATE_SIDE


def at_width(pixels: int | float, width: int) -> float:
    """A length in pixels of a face of 512, in pixels of a face of this width; need not be whole."""
    return pixels * width / TEMPLATE_SIDE
