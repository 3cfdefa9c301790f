#!/bin/sh
# Make the accounting data base in a new root file system, with its tables and the cluster in it, so that a cluster which starts
# finds it: accounting.sh ROOT SLURMDBD_CONF CLUSTER. Runs in namespaces of its own; the daemons end with its first process.
set -eu
root=$1 conf=$2 cluster=$3

within_a_minute() {
    for _ in $(seq 300); do
        "$@" && return
        sleep 0.2
    done
    return 1
}

hostname login
ip link set lo up
ip address add 10.77.0.10/24 dev lo # a name is only looked up where there is more than 127.0.0.1
mount -t proc proc "$root/proc"
mount -t tmpfs run "$root/run"
mount --bind /dev "$root/dev"
chroot "$root" install -d -o munge -g munge -m 755 /run/munge
chroot "$root" install -d -o mysql -g mysql -m 755 /run/mysqld
echo '10.77.0.10 login' >"$root/etc/hosts"
grep -v AuthAlt "$conf" >"$root/etc/slurm/slurmdbd.conf" # tokens are a matter of the running cluster
chmod 600 "$root/etc/slurm/slurmdbd.conf"
chroot "$root" install -d -o slurm -g slurm -m 755 /var/spool/slurmctld
chroot "$root" chown slurm: /etc/slurm/slurmdbd.conf
printf 'ClusterName=%s\nSlurmctldHost=login\nAccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=login\n' "$cluster" >"$root/etc/slurm/slurm.conf"

rm -rf "$root/var/lib/mysql"
chroot "$root" mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db --innodb-log-file-size=4M
chroot "$root" mariadbd --user=mysql --skip-networking --innodb-log-file-size=4M &
server=$!
within_a_minute test -S "$root/run/mysqld/mysqld.sock"
chroot "$root" mariadb <<SQL
CREATE DATABASE slurm;
CREATE USER slurm@localhost IDENTIFIED VIA unix_socket;
GRANT ALL ON slurm.* TO slurm@localhost;
SQL
chroot "$root" runuser -u munge -- munged
chroot "$root" runuser -u slurm -- slurmdbd -D &
accounting=$!
within_a_minute chroot "$root" sacctmgr --immediate add cluster "$cluster"
kill -TERM "$accounting"
wait "$accounting" || true
kill -TERM "$server"
wait "$server"
rm -f "$root/etc/slurm/slurmdbd.conf" "$root/etc/slurm/slurm.conf"
