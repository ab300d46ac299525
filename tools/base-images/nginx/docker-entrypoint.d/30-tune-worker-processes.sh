#!/bin/sh
# With NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE: as many workers as the container may use processors.
set -e

[ -n "${NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE:-}" ] || exit 0
[ -w /etc/nginx/nginx.conf ] || exit 0

count=$(nproc)
quota=""
if [ -r /sys/fs/cgroup/cpu.max ]; then
    read -r limit period </sys/fs/cgroup/cpu.max
    [ "$limit" = max ] || quota=$(((limit + period - 1) / period))
elif [ -r /sys/fs/cgroup/cpu/cpu.cfs_quota_us ]; then
    limit=$(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us)
    period=$(cat /sys/fs/cgroup/cpu/cpu.cfs_period_us)
    [ "$limit" -le 0 ] || quota=$(((limit + period - 1) / period))
fi
if [ -n "$quota" ] && [ "$quota" -lt "$count" ]; then count=$quota; fi
sed -i "s/^worker_processes .*/worker_processes $count;/" /etc/nginx/nginx.conf
