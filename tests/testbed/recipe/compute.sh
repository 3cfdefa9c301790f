# The daemons of a compute node, in it.
install -d -o munge -g munge -m 755 /run/munge
runuser -u munge -- munged
mkdir -p /var/spool/slurmd
slurmd
