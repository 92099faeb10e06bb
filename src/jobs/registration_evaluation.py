"""Evaluates a trained registration on the benchmark."""

import json

import torch

from src.checkpoints.files import atomic_path
from src.checkpoints.network_file import load_network
from src.checkpoints.store import StoredRun
from src.jobs.build_codeformer_plus_plus import branch_maker
from src.jobs.evaluate_run import load_benchmark
from src.jobs.registration_report import RegistrationAtWork, judges_of, report_of, write_sheet
from src.jobs.upstream import Upstreams
from src.settings.commands import TrainConfig


def evaluate_registration(
    config: TrainConfig, run: StoredRun, upstreams: Upstreams, device: torch.device
) -> dict[str, float]:
    """Diagnostics of a trained registration on the benchmark; written to registration.json, with images/registration.png."""
    network = load_network(run.weights_file("registration")).network.to(device)
    maker = branch_maker(config, upstreams).to(device)
    work = RegistrationAtWork(
        maker,
        lambda branches: network(branches.generative, branches.identity, None),
        sum(weight.numel() for weight in network.parameters()),
    )
    evaluation = config.evaluation
    report = report_of(
        work,
        load_benchmark(config),
        judges_of(config, upstreams, device),
        device,
        batch_size=evaluation.batch_size,
        shown=evaluation.shown_faces,
    )
    with atomic_path(run.folder / "registration.json") as temporary:
        temporary.write_text(json.dumps(report.diagnostics, indent=2) + "\n")
    write_sheet(run.folder / "images" / "registration.png", report)
    shown = ("landmark_error_before", "landmark_error_after", "ncc_before", "ncc_after", "folded_share")
    told = ", ".join(f"{name} {report.diagnostics[name]:.3f}" for name in shown if name in report.diagnostics)
    print(f"registration {config.registration.method.kind}: {told}", flush=True)
    return report.diagnostics
