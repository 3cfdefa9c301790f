#!/bin/sh
# Plug a node into the switch: link.sh WARDEN NODE NAME ADDRESS (two process numbers).
set -eu
warden=$1 node=$2 name=$3 address=$4
nsenter --target "$warden" --net sh -eu -c '
    ip link delete "$2" 2>/dev/null || true # the old cable of a node that was killed
    ip link add "$2" type veth peer name eth0 netns "$1"
    ip link set "$2" master switch up' sh "$node" "$name"
nsenter --target "$node" --net sh -eu -c 'ip link set lo up; ip address add "$1/24" dev eth0; ip link set eth0 up' sh "$address"
