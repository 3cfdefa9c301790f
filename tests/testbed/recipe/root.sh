#!/bin/sh
# Make the root file system of the testbed's nodes: root.sh SUITE DIRECTORY PACKAGE...
# Debian's packages and nothing else.
set -eu
suite=$1 root=$2
shift 2

debootstrap --variant=minbase --include=ca-certificates,iproute2,procps,python3,tini "$suite" "$root"

# Seen by this script only, which has mounts of its own.
mount -t proc proc "$root/proc"

# No daemon starts while packages are being installed, and nothing is synced to a disk that is thrown away on failure.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$@" </dev/null
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*

# Two ordinary users, one to run slurmrestd, and the account that Slurm's own daemons run under everywhere.
for user in alice:2001 bob:2002 slurmrest:2003; do
    chroot "$root" useradd --no-create-home --home-dir "/shared/home/${user%:*}" --uid "${user#*:}" --shell /bin/bash "${user%:*}"
done
mkdir -p "$root/shared" "$root/etc/slurm" "$root/var/lib/containers" "$root/var/lib/docker"
chmod 711 "$root/root" # an interpreter bound below it must be reachable for users
