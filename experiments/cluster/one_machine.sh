#!/usr/bin/env bash
# One machine with several GPUs: Lightning starts a process for every device. Batch sizes are those of all devices together, so
# that the number of devices changes nothing but the time (and ties of rounding).
#   DEVICES=8 experiments/cluster/one_machine.sh +experiment=cft_sweep
# What would be started:  ... cluster.dry_run=true
set -euo pipefail

python -m src.train \
  trainer=ddp \
  trainer.devices="${DEVICES:-8}" \
  trainer.workers="${WORKERS:-4}" `# loader processes a device` \
  "$@"
