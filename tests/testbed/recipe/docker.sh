# Docker's engine on a node, in it, with checkpoints: they are experimental there.
if docker version >/dev/null 2>&1; then exit 0; fi
mkdir -p /etc/docker
echo '{"experimental": true}' >/etc/docker/daemon.json
setsid dockerd --iptables=false --ip6tables=false --bridge=none >/var/log/dockerd.log 2>&1 </dev/null &
for _ in $(seq 300); do
    docker version >/dev/null 2>&1 && exit 0
    sleep 0.2
done
tail -n 20 /var/log/dockerd.log >&2
exit 1
