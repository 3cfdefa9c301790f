#!/bin/sh
# PID 1 of a node, in namespaces of its own: node.sh NAME LOWER FOLDER [SOURCE TARGET ro|rw]...
# Mounts the node's root from LOWER and FOLDER/upper, binds each SOURCE on TARGET in it, and moves there.
set -eu
name=$1 lower=$2 folder=$3
shift 3
read -r pid _ </proc/self/stat # of the machine's own /proc, so this is its number there
namespace=$(readlink /proc/self/ns/pid)
root=$folder/root
exec 3>"$folder/pid" # filled in when the node is ready; the folder itself is out of reach by then

hostname "$name"
mount -t overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work" node "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755,size=1m devices dev
mkdir dev/pts dev/shm
for device in null zero full random urandom tty fuse; do
    [ -e "/dev/$device" ] || continue
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs -o mode=1777 shm dev/shm
mount -t tmpfs -o mode=755 run run
mkdir -m 1777 run/lock

# The node sees its own part of the control groups as their root: this process was moved there before its namespaces were made.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup sys/fs/cgroup
else
    mount -t tmpfs -o mode=755,size=1m cgroup sys/fs/cgroup
    for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
        [ -d "/sys/fs/cgroup/$controller" ] || continue
        mkdir "sys/fs/cgroup/$controller"
        mount -t cgroup -o "$controller" cgroup "sys/fs/cgroup/$controller"
    done
    mkdir sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
fi

while [ $# -gt 0 ]; do
    mkdir -p "./$2"
    mount --bind "$1" "./$2"
    [ "$3" = rw ] || mount -o "remount,bind,$3" "./$2"
    shift 3
done

# criu needs a real root: a chroot has no parent mount.
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
rmdir /.outside 2>/dev/null || true
echo "$pid $namespace" >&3
exec 3>&-
exec /usr/bin/tini -- sleep infinity
