# What an admin sets on a node for podman, in it: the images are in a folder that all nodes share, and groups are made without systemd.
mkdir -p /etc/containers
cat >/etc/containers/storage.conf <<'END'
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
[storage.options]
additionalimagestores = ["/shared/images"]
END
cat >/etc/containers/containers.conf <<'END'
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
END
