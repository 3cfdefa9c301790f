"""A real Slurm cluster on this machine, for tests: a login node and compute nodes, each in namespaces of its own.

Needs root, debootstrap and Debian's packages, nothing else; nothing of it is seen on the machine's own network, in its mounts or
its users. Everything lives below one process, the warden: when that dies the kernel takes the rest away.
"""
