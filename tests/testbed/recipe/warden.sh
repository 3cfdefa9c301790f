#!/bin/sh
# PID 1 of a testbed: warden.sh ROOT PIDFILE. Owns the switch between the nodes; when it dies, everything in the testbed dies with it.
set -eu
root=$1 pidfile=$2
read -r pid _ </proc/self/stat # of the machine's own /proc, so this is its number there
namespace=$(readlink /proc/self/ns/pid)

ip link set lo up
ip link add switch type bridge
ip link set switch up
echo "$pid $namespace" >"$pidfile"
exec chroot "$root" /usr/bin/tini -- sleep infinity
