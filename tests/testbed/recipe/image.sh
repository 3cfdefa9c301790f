#!/bin/sh
# Make the image of the workloads, by the scripts that sites use, in an engine of its own: image.sh ROOT CHECKOUT CACHE FOLDER
# CACHE keeps what was built for the next time. FOLDER gets docker (the data of an engine that has the image, and nothing else) and
# podman (a store that many nodes can share). Runs in mounts and processes of its own, on the machine's network.
set -eu
root=$1 checkout=$2 cache=$3 folder=$4
recipe=$checkout/tests/testbed/recipe

export TMPDIR="$cache/tmp"
rm -rf "$cache/tmp" "$cache/place" "$cache/ready"
mkdir -p "$cache/tmp" "$cache/place" "$cache/docker" "$cache/bin" "$folder/docker" "$folder/podman"
mount --make-rprivate /
mount -t proc proc /proc
unshare --mount sh "$recipe/place.sh" "$root" "$cache/place" "$cache/ready" "$cache" "$folder" &
place=$!

within_a_minute() {
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    return 1
}
inside() { nsenter --target "$place" --mount -- env PODMAN_IGNORE_CGROUPSV1_WARNING=1 TMPDIR="$TMPDIR" "$@"; }
serve() {
    inside dockerd --data-root "$1" --iptables=false --ip6tables=false --bridge=none >>"$cache/dockerd.log" 2>&1 &
    within_a_minute inside docker version
}
stop() {
    inside sh -c 'kill $(cat /run/docker.pid)'
    within_a_minute inside sh -c '[ ! -e /run/docker.pid ]'
}

within_a_minute test -e "$cache/ready"
printf '#!/bin/sh\nexec nsenter --target %s --mount -- env DOCKER_BUILDKIT=0 docker "$@"\n' "$place" >"$cache/bin/docker"
chmod 755 "$cache/bin/docker"
export ENGINE="$cache/bin/docker" OPTIONS=--network=host
if [ -d "${PIP_FIND_LINKS:-}" ]; then export WHEELS="$PIP_FIND_LINKS"; fi

serve "$cache/docker"
base=$(sed -n 's/^ARG BASE=//p' "$checkout/Dockerfile")
inside docker image inspect "$base" >/dev/null 2>&1 || "$checkout/scripts/base-image"
"$checkout/scripts/image"
inside docker save --output "$cache/tmp/image.tar" idleq-workloads
inside docker image prune --force >/dev/null
stop

serve "$folder/docker"
inside docker load --quiet --input "$cache/tmp/image.tar"
stop
inside podman --root "$folder/podman" --storage-driver overlay load --quiet --input "$cache/tmp/image.tar"
rm -rf "$cache/tmp"
for group in /sys/fs/cgroup/*/docker /sys/fs/cgroup/docker; do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
done
