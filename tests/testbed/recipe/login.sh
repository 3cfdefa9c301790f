# The daemons of the login node, in it: the controller, the accounting, and slurmrestd, which takes tokens only.
install -d -o munge -g munge -m 755 /run/munge
install -d -o slurm -g slurm -m 755 /var/spool/slurmctld
runuser -u munge -- munged
if command -v slurmdbd >/dev/null; then
    install -d -o mysql -g mysql -m 755 /run/mysqld
    # In memory and by plain writes: on a busy machine's disk a server takes ten times as long to come up.
    cp -a /var/lib/mysql /run/mysql
    setsid mariadbd --user=mysql --datadir=/run/mysql --skip-networking --innodb-log-file-size=4M --innodb-buffer-pool-size=64M \
        --innodb-use-native-aio=0 --skip-innodb-buffer-pool-load-at-startup --performance-schema=OFF \
        >/var/log/mariadbd.log 2>&1 </dev/null &
    until [ -S /run/mysqld/mysqld.sock ]; do sleep 0.1; done
    runuser -u slurm -- slurmdbd
    # A controller that finds no accounting looks again only after seconds.
    until (exec 3<>/dev/tcp/login/6819) 2>/dev/null; do sleep 0.1; done
fi
runuser -u slurm -- slurmctld
if grep -q auth/jwt /etc/slurm/slurm.conf; then
    SLURM_JWT=daemon setsid runuser -u slurmrest -- slurmrestd -a rest_auth/jwt 0.0.0.0:6820 >/var/log/slurmrestd.log 2>&1 </dev/null &
fi
