"""The classes of the part map."""

from enum import IntEnum


class Part(IntEnum):
    """What a pixel shows; the values of the part map."""

    BACKGROUND = 0
    SKIN = 1
    EAR = 2
    NOSE = 3
    EYE = 4
    BROW = 5
    LIP = 6
    MOUTH = 7
    """Teeth and the inside of the open mouth."""
    BEARD = 8
    HAIR = 9
    GLASSES = 10
    NECK = 11
    CLOTHES = 12
