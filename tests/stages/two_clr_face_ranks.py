"""`tests.stages.two_ranks` for CLR-Face's score model, identity recovery and mask.

Run: python -m tests.stages.two_clr_face_ranks <variant> <dir>
"""

import sys
from pathlib import Path
from unittest.mock import patch

from tests.stages import two_ranks
from tests.stages.small_clr_face import clr_face_config, clr_face_stage

if __name__ == "__main__":
    with patch.multiple(two_ranks, small_config=clr_face_config, small_stage=clr_face_stage):
        two_ranks.main(sys.argv[1], Path(sys.argv[2]))
