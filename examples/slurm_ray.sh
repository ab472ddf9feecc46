#!/usr/bin/env bash
# Score on all machines of a SLURM job: a node of Ray on each, iqbench on the first.
#
#   sbatch --nodes=4 --gpus-per-node=8 examples/slurm_ray.sh --methods-in outputs/ --dataset DIV2K-x4
#
# The arguments are those of `iqbench evaluate`. Before SLURM kills the job it sends SIGTERM to this
# script, and what was scored by then is kept: submit it again, and it goes on from there.

#SBATCH --job-name=iqbench
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --signal=B:TERM@120

set -euo pipefail

port=${RAY_PORT:-6379}
mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${hosts[0]}
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname -I | awk '{print $1}')

# Nobody else may use the cluster: all nodes share a token that this job makes.
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN=${RAY_AUTH_TOKEN:-$(python -c 'import secrets; print(secrets.token_hex(32))')}

cleanup() { kill "${nodes[@]}" 2>/dev/null || true; wait || true; }
trap cleanup EXIT

nodes=()
srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    ray start --head --node-ip-address="$address" --port="$port" --disable-usage-stats --block &
nodes+=($!)
until RAY_ADDRESS="$address:$port" ray status >/dev/null 2>&1; do sleep 1; done
for host in "${hosts[@]:1}"; do
    srun --nodes=1 --ntasks=1 --nodelist="$host" --overlap \
        ray start --address="$address:$port" --disable-usage-stats --block &
    nodes+=($!)
done

# In the background, so that the shell hears SIGTERM while iqbench runs, and passes it on.
iqbench evaluate "$@" --executor "ray:$address:$port" &
run=$!
trap 'kill -TERM "$run"' TERM INT
code=0
wait "$run" || code=$?
if kill -0 "$run" 2>/dev/null; then wait "$run" || code=$?; fi  # after a signal it still writes
exit "$code"
