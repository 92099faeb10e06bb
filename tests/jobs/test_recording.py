"""A record names who judged it, never the recogniser that guided it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from src.jobs.bench import Bench, summary_line
from src.jobs.evaluation import evaluate
from src.jobs.gallery import chosen_faces
from src.jobs.recording import method_of, primary_roles, record_evaluation
from src.jobs.restorations import RestorerAtWork
from src.metrics.identity import Identity, IdentityDrop
from src.metrics.suite import MetricSuite
from src.restorers.identity import IdentityRestorer
from src.tracking.records import read_record
from tests.jobs.test_severity import benchmark_with
from tests.leaderboard.conftest import bare
from tests.metrics.small_suite import CountedEmbedder, definition

CPU = torch.device("cpu")
GUIDE, JUDGE = "aa" * 32, "bb" * 32


def metrics_of(name: str, sha256: str) -> list[Identity | IdentityDrop]:
    """Identity and its loss in the eyes of one recogniser."""
    facts = {"direction": "higher", "extractor_sha256": sha256}
    embedder = CountedEmbedder()
    return [
        Identity(
            embedder, definition(name, "identity", **facts), definition(f"{name}_degrees", "identity_degrees", **facts)
        ),
        IdentityDrop(embedder, definition(f"{name}_drop", "identity_drop", needs=("truth", "input"), **facts)),
    ]


SUITE = MetricSuite([*metrics_of("first", GUIDE), *metrics_of("second", JUDGE)], CPU)


def test_the_first_metric_whose_recogniser_guided_nobody_stands_for_identity() -> None:
    assert primary_roles(SUITE, frozenset()) == {"identity": "first"}
    assert primary_roles(SUITE, {GUIDE}) == {"identity": "second", "identity_guide": "first"}
    assert primary_roles(SUITE, {GUIDE, JUDGE}) == {"identity_guide": "first"}
    assert "identity second, identity_guide first" in summary_line(SUITE, {GUIDE})


def test_a_record_is_judged_by_another_than_its_guide_and_keeps_the_definitions(tmp_path: Path) -> None:
    """Also where the networks at work are told last; the gallery goes by the judge as well."""
    benchmark = benchmark_with([1, 2, 3, 4, 5], has_truth=True)
    restorer = IdentityRestorer()
    evaluation = evaluate(
        RestorerAtWork(restorer, benchmark.lq, CPU), benchmark, SUITE, batch_size=5, title="x", progress=False
    )
    template = replace(bare("arm", None, 0, 5), roles={})
    method, bench = method_of(restorer), Bench(benchmark, SUITE, None)
    for weights, judge in (({}, "first"), ({"upstream/guide_recogniser": GUIDE}, "second")):
        folder = tmp_path / judge
        record_evaluation(folder, template, method, evaluation, bench, 200, weights=weights, arm="changed")
        record = read_record(folder / "result.json")
        assert record.roles["identity"] == judge
        assert record.gallery["metric"] == f"{judge}_drop"
        assert record.arm == "changed"
        roles = {name: measured.definition["role"] for name, measured in record.metrics.items()}
        assert roles == {name: found.role for name, found in SUITE.definitions.items()}
    result = evaluation.result
    assert np.isfinite(result.per_image["first_drop"]).all()
    assert chosen_faces(result, {GUIDE, JUDGE}) is None
