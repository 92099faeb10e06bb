"""`tests.stages.two_ranks` for CLR-Face's autoencoder and encoder.

Run: python -m tests.stages.two_latent_ranks <stage> <dir>
"""

import sys
from pathlib import Path
from unittest.mock import patch

from tests.stages import two_ranks
from tests.stages.small_latent import latent_config, latent_stage

if __name__ == "__main__":
    with patch.multiple(two_ranks, small_config=latent_config, small_stage=latent_stage):
        two_ranks.main(sys.argv[1], Path(sys.argv[2]))
