#!/bin/sh
# Allocation a12 of idleq. The agent is a step of its own: when Slurm takes a node back it tells steps, and not this shell,
# that their grace has begun. A step has no more cores than it asks for, and none of this shell's environment unless told so.
node=$SLURMD_NODENAME
told() { SLURM_TIME_FORMAT=%s squeue --all --noheader --jobs="$SLURM_JOB_ID" --format="$1"; }
begin=${SLURM_JOB_START_TIME:-$(told %S)}
end=${SLURM_JOB_END_TIME:-$(told %e)}
by_length=$(($(date +%s) + end - begin))
until=$((by_length < end ? by_length : end))000
# Where Slurm kills this shell outright, the scratch stays, empty once the agent has left: the next one there removes it a day later.
find "${TMPDIR:-/tmp}/" -mindepth 1 -maxdepth 1 -type d -user "$(id -u)" -name 'idleq-[0-9]*-??????' -mtime +0 -empty -delete 2>/dev/null
scratch=$(mktemp -d "${TMPDIR:-/tmp}/idleq-$SLURM_JOB_ID-XXXXXX") || exit 1
srun --export=ALL --ntasks=1 --cpus-per-task=4 --cpu-bind=none --overlap /opt/idleq/bin/idleq agent '/home/a b/it'"'"'s $HOME' --node "$node" "$until" "$scratch"
code=$?
# Where Slurm has given the node up, srun ends, and not the agent: it and its guests are still at home in the scratch.
while agent=$(cat "$scratch/agent.pid" 2>/dev/null) && [ "$agent" -gt 1 ] 2>/dev/null && kill -0 "$agent" 2>/dev/null; do sleep 1; done
# Of an agent that was killed, containers go on: no step's children, and nothing that Slurm ends where a job does not end by Slurm.
owner="label=org.idleq.owner=$scratch"
# What an engine that hangs still has is left to the next agent of this user here: the node is to be given back.
soon="timeout --kill-after=5 60"
[ -e "$scratch/podman" ] && $soon podman rm --force --volumes --time=0 --filter "$owner" >/dev/null 2>&1
[ -e "$scratch/docker" ] && $soon docker ps --all --quiet --filter "$owner" | xargs -r $soon docker rm --force --volumes >/dev/null 2>&1
rm -rf "$scratch"
exit $code
