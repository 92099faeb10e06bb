#!/usr/bin/env bash
# Several machines without a scheduler: the same command on each, at about the same time. Every machine goes through the jobs of
# a sweep in step; machine 0 evaluates and writes. The run store must be a folder that all of them see.
#   NODES=2 NODE=0 MASTER=gpu01 experiments/cluster/torchrun.sh +experiment=cft_sweep run_store=/shared/runs     on gpu01
#   NODES=2 NODE=1 MASTER=gpu01 experiments/cluster/torchrun.sh +experiment=cft_sweep run_store=/shared/runs     on gpu02
set -euo pipefail

python -m src.train \
  cluster=torchrun \
  trainer=ddp \
  trainer.num_nodes="${NODES:?number of machines}" \
  trainer.devices="${DEVICES:-8}" \
  cluster.node_rank="${NODE:?number of this machine, from 0}" \
  cluster.master_address="${MASTER:?name of machine 0}" \
  cluster.master_port="${PORT:-29500}" \
  "$@"
