#!/bin/sh
# Run ARGV beside process PID: enter.sh PID CGROUP_PROCS... -- ARGV... The control groups come first: from inside they cannot be reached.
set -eu
pid=$1
shift
while [ "$1" != -- ]; do
    echo 0 >"$1"
    shift
done
shift
exec nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup --time -- "$@"
