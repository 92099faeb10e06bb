"""Colours of people, cloth and rooms, as 8-bit sRGB, and their conversion to linear light."""

Colour = tuple[float, float, float]

SKIN = (
    (247, 219, 204), (240, 204, 184), (229, 187, 162), (212, 168, 144), (190, 144, 118),
    (164, 118, 93), (134, 93, 72), (104, 71, 55), (78, 54, 44),
)  # fmt: skip
"""From light to deep."""

HAIR = {
    "black": (26, 22, 22),
    "dark brown": (50, 34, 26),
    "brown": (84, 57, 38),
    "chestnut": (104, 60, 36),
    "light brown": (134, 98, 64),
    "red": (142, 74, 42),
    "dark blond": (166, 128, 82),
    "blond": (196, 164, 118),
    "platinum": (226, 206, 168),
    "grey": (150, 147, 144),
    "white": (214, 211, 206),
}

IRIS = {
    "dark brown": (72, 44, 28),
    "brown": (96, 58, 32),
    "hazel": (124, 96, 50),
    "green": (92, 116, 76),
    "blue": (88, 128, 168),
    "grey": (122, 138, 148),
}

CLOTH = (
    (32, 36, 52), (236, 236, 232), (40, 40, 42), (116, 34, 38), (60, 82, 118), (86, 104, 78), (196, 178, 150),
    (146, 88, 108), (210, 120, 84), (88, 84, 96), (70, 120, 128), (222, 196, 96), (150, 160, 176), (92, 62, 48),
)  # fmt: skip

WALLS = (
    (214, 212, 208), (168, 176, 184), (120, 132, 146), (86, 98, 88), (196, 184, 166), (64, 70, 82), (150, 126, 106),
    (44, 44, 48), (132, 156, 170), (224, 222, 214), (160, 92, 70), (104, 122, 92), (92, 108, 136), (190, 150, 140),
)  # fmt: skip

FRAMES = ((24, 22, 22), (60, 38, 26), (120, 118, 116), (150, 120, 66), (70, 24, 30), (34, 44, 74))


def linear(colour: tuple[int, ...] | Colour) -> Colour:
    """8-bit sRGB to linear light in [0, 1] (gamma 2.2)."""
    r, g, b = (float((value / 255.0) ** 2.2) for value in colour)
    return r, g, b


def scaled(colour: Colour, r: float, g: float, b: float) -> Colour:
    """A colour with its channels multiplied and limited to [0, 1]."""
    return min(colour[0] * r, 1.0), min(colour[1] * g, 1.0), min(colour[2] * b, 1.0)


def between(a: Colour, b: Colour, weight: float) -> Colour:
    """`a` at weight 0, `b` at weight 1."""
    r, g, b_ = (float(x + (y - x) * weight) for x, y in zip(a, b, strict=True))
    return r, g, b_


def skin_tone(depth: float) -> Colour:
    """The skin colour at `depth` in [0, 1], light to deep, in linear light."""
    position = min(max(depth, 0.0), 1.0) * (len(SKIN) - 1)
    index = min(int(position), len(SKIN) - 2)
    return between(linear(SKIN[index]), linear(SKIN[index + 1]), position - index)
