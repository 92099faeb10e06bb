"""A progress bar by a clock that nobody sets."""

import time
from typing import Any

from tqdm import tqdm


class SteadyBar(tqdm):
    """A bar whose rate and time left are never negative, and which does not stand still where the clock is set back."""

    def __init__(self, **options: Any) -> None:
        """Takes what `tqdm` takes."""
        super().__init__(**options)
        if not self.disable:
            self._time = time.monotonic
            self.start_t = self.last_print_t = time.monotonic()
