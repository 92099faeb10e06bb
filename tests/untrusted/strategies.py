"""What hypothesis feeds to readers: the same examples in every run."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

BOUNDED = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """The content with some bytes replaced, a part cut out or doubled, or its end cut off."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data) - 1))
        data[place] = draw(st.sampled_from([0, 1, 127, 128, 255]) | st.integers(0, 255))
    start, length = draw(st.integers(0, len(data))), draw(st.integers(0, 64))
    change = draw(st.sampled_from(["none", "cut out", "doubled", "end"]))
    if change == "cut out":
        del data[start : start + length]
    elif change == "doubled":
        data[start:start] = data[start : start + length]
    elif change == "end":
        del data[start:]
    return bytes(data)
