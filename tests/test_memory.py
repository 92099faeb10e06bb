import subprocess
import sys

FRESH_PAGES = """
import resource, sys
import torch
from src.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
for turn in range(60):
    torch.ones(16_000_000)
    if turn == 50:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_memory_is_used_again(root):
    faults = {}
    for way in ("keep", "default"):
        line = [sys.executable, "-c", FRESH_PAGES, way]
        faults[way] = int(subprocess.run(line, cwd=root, capture_output=True, text=True, check=True).stdout)
    # Each of the last nine blocks is made of pages that the process has already.
    assert faults["keep"] < 20
    # By default each is new: 64 MB in pages of 4 KB, or in a few large ones.
    assert faults["default"] >= 9 * 8
