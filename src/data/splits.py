"""Who is in which split. No identity, and no group of look-alikes, is in two."""

from collections.abc import Sequence

import numpy as np

from src.settings.errors import UserError

SPLITS = ("train", "validation", "test")


def checked_split(split: str) -> str:
    """`split` itself.

    Raises:
        UserError: it is not one of `SPLITS`.
    """
    if split not in SPLITS:
        raise UserError(f"split: {split!r} is not one of {', '.join(SPLITS)}")
    return split


def identity_ranges(identities: int, validation: int, test: int) -> dict[str, range]:
    """Identities of each split, where identities are numbers: first `test`, then `validation`, then those for training.

    The held-out ones come first, so that a larger population keeps them.

    Raises:
        UserError: a count is negative, or no identity is left for training.
    """
    if min(validation, test) < 0:
        raise UserError(f"data: validation_identities {validation} and test_identities {test} must be 0 or more")
    if identities <= validation + test:
        raise UserError(
            f"data.identities: {identities} leaves none for training, because {validation} are held out for validation "
            f"and {test} for the test; take more than {validation + test}"
        )
    held_out = test + validation
    return {"train": range(held_out, identities), "validation": range(test, held_out), "test": range(test)}


def assign_splits(
    identities: Sequence[str], groups: Sequence[str], *, validation_fraction: float, test_fraction: float, seed: int
) -> list[str]:
    """A split for every file, given its identity and its group; a group is never divided.

    Groups are shuffled by `seed` and dealt to the test, then to validation, until each holds its share of the
    identities (at least one); a group that would exceed the share is passed over, so that the largest end in training.

    Raises:
        UserError: the fractions are negative or leave nothing for training.
    """
    if min(validation_fraction, test_fraction) < 0 or validation_fraction + test_fraction >= 1:
        raise UserError(
            f"data: validation_fraction {validation_fraction} and test_fraction {test_fraction} must be 0 or more and "
            "sum to less than 1"
        )
    members: dict[str, set[str]] = {}
    for identity, group in zip(identities, groups, strict=True):
        members.setdefault(group, set()).add(identity)
    total = sum(map(len, members.values()))
    order = [sorted(members)[i] for i in np.random.default_rng(seed).permutation(len(members))]
    chosen = dict.fromkeys(members, "train")
    for split, fraction in (("test", test_fraction), ("validation", validation_fraction)):
        room = max(1, round(fraction * total)) if fraction > 0 else 0
        for group in order:
            if chosen[group] == "train" and len(members[group]) <= room:
                chosen[group] = split
                room -= len(members[group])
    return [chosen[group] for group in groups]


def verify_disjoint(splits: Sequence[str], members: Sequence[str], what: str) -> None:
    """Check that no member (an identity, or a group of look-alikes) is in two splits; `what` names it in the message.

    Raises:
        UserError: one is.
    """
    seen: dict[str, str] = {}
    for split, member in zip(splits, members, strict=True):
        if seen.setdefault(member, split) != split:
            raise UserError(
                f"{what} {member} is in the splits {seen[member]} and {split}; it must be in one, or the test measures "
                "memory"
            )
