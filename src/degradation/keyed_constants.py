"""Constants of `keyed`, in plain numbers: Philox4x32-10, and the series of Box and Muller's transform.

The series are those of the inverse hyperbolic tangent (2 s + 2 s^3 / 3 + ...), of sine and of cosine, cut after five terms.
"""

import math

MASK = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10

SMALL = 2.0**-24
LN2, ROOT, QUARTER = math.log(2), math.sqrt(2), math.pi / 2
ATANH = tuple(2 / n for n in (1, 3, 5, 7, 9))
SINE = tuple((-1) ** n / math.factorial(2 * n + 1) for n in range(5))
COSINE = tuple((-1) ** n / math.factorial(2 * n) for n in range(5))
