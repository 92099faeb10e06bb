#!/usr/bin/env bash
# SLURM: every job of a sweep becomes a job of an array. What the jobs build on is trained first, as a job of its own that the
# launching process waits for; keep that process alive (tmux), it writes the leaderboard at the end. Needs the extra `slurm`.
#   PARTITION=gpu ACCOUNT=faces experiments/cluster/slurm.sh +experiment=cft_sweep run_store=/shared/runs
# The sbatch file and the command of every job:  ... cluster.dry_run=true
set -euo pipefail

python -m src.train \
  cluster=slurm \
  trainer=ddp \
  trainer.num_nodes="${NODES:-1}" `# machines a job; hydra.launcher.nodes follows` \
  trainer.devices="${DEVICES:-8}" `# GPUs a machine; hydra.launcher.tasks_per_node and gpus_per_node follow` \
  hydra.launcher.partition="${PARTITION:?name of the partition}" \
  hydra.launcher.account="${ACCOUNT:-null}" \
  hydra.launcher.timeout_min="${MINUTES:-1440}" `# a job that needs longer is stopped, submitted again, and goes on` \
  hydra.launcher.mem_gb="${MEMORY_GB:-null}" \
  "$@"
