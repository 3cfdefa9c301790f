#!/bin/sh
# A root file system of one's own to run a container engine in: place.sh LOWER WORK READY FOLDER... (in mounts of its own).
# The machine's network, devices and control groups are seen in it, and each FOLDER under its own name.
set -eu
lower=$1 work=$2 ready=$3
shift 3
root=$work/root
mkdir -p "$work/upper" "$work/work" "$root"
mount --make-rprivate /
mount -t overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" place "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 run "$root/run"
for file in /etc/resolv.conf /etc/hosts; do
    touch "$root$file"
    mount --bind "$file" "$root$file"
done
for folder in "$@"; do
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
done
# Engines start containers by pivot_root, which a chroot does not allow.
cd "$root"
mkdir -p .outside
pivot_root . .outside
touch "$ready"
umount -l /.outside
exec sleep infinity
