from collections import Counter

import numpy as np
import pytest

from src.data.splits import SPLITS, assign_splits, identity_ranges, verify_disjoint
from src.settings.errors import UserError


def test_ranges_partition_the_identities_and_a_larger_population_keeps_the_held_out():
    ranges = identity_ranges(20, validation=3, test=5)
    assert sorted(person for split in SPLITS for person in ranges[split]) == list(range(20))
    larger = identity_ranges(200, validation=3, test=5)
    assert (larger["test"], larger["validation"]) == (ranges["test"], ranges["validation"])


@pytest.mark.parametrize(("validation", "test"), [(3, 7), (-1, 2), (2, -1)])
def test_ranges_that_leave_no_training_are_refused(validation, test):
    with pytest.raises(UserError):
        identity_ranges(10, validation, test)


def _population(seed: int) -> tuple[list[str], list[str]]:
    """Files with an identity, where each identity belongs to one of several groups of look-alikes."""
    rng = np.random.default_rng(seed)
    group_of = rng.integers(0, 40, 120)
    people = rng.integers(0, 120, 500)
    return [f"p{person}" for person in people], [f"g{group_of[person]}" for person in people]


@pytest.mark.parametrize("seed", range(5))
def test_no_identity_or_group_is_in_two_splits_and_shares_are_kept(seed):
    identities, groups = _population(seed)
    splits = assign_splits(identities, groups, validation_fraction=0.1, test_fraction=0.2, seed=seed)
    for members in (identities, groups):
        found: dict[str, set[str]] = {}
        for member, split in zip(members, splits, strict=True):
            found.setdefault(member, set()).add(split)
        assert all(len(of) == 1 for of in found.values())
    total = len(set(identities))
    held = Counter(split for _, split in set(zip(identities, splits, strict=True)))
    assert -0.5 <= 0.2 * total - held["test"] <= 3
    assert -0.5 <= 0.1 * total - held["validation"] <= 3


def test_the_seed_alone_decides_whatever_the_order_of_the_files():
    identities, groups = _population(0)
    fractions = {"validation_fraction": 0.1, "test_fraction": 0.2}
    splits = dict(zip(identities, assign_splits(identities, groups, **fractions, seed=1), strict=True))
    backwards = assign_splits(identities[::-1], groups[::-1], **fractions, seed=1)
    assert dict(zip(identities[::-1], backwards, strict=True)) == splits
    assert dict(zip(identities, assign_splits(identities, groups, **fractions, seed=2), strict=True)) != splits


def test_a_group_larger_than_the_share_stays_in_training():
    identities = [f"p{i}" for i in range(20)]
    groups = ["big"] * 15 + identities[15:]
    for seed in range(10):
        splits = assign_splits(identities, groups, validation_fraction=0.1, test_fraction=0.1, seed=seed)
        assert splits[:15] == ["train"] * 15
        assert Counter(splits) == {"train": 16, "validation": 2, "test": 2}


def test_no_fraction_holds_nothing_out_and_impossible_fractions_are_refused():
    assert set(assign_splits(list("abc"), list("abc"), validation_fraction=0.0, test_fraction=0.0, seed=0)) == {"train"}
    for fractions in (
        {"validation_fraction": 0.5, "test_fraction": 0.5},
        {"validation_fraction": -0.1, "test_fraction": 0.0},
    ):
        with pytest.raises(UserError, match="sum to less than 1"):
            assign_splits(list("abc"), list("abc"), **fractions, seed=0)


def test_a_shared_member_is_named_with_both_splits():
    verify_disjoint(["train", "test", "train"], ["a", "b", "a"], "identity")
    with pytest.raises(UserError, match="identity b is in the splits train and test"):
        verify_disjoint(["train", "train", "test"], ["a", "b", "b"], "identity")
