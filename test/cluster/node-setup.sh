#!/bin/sh
# Turns fresh namespaces into a machine for one Kubernetes node: own /sys, cgroups, scratch directories where
# the programs write at fixed places, and a network with one address.
# Arguments: host name, address, and two directories that stay the machine's own: the checkout, the cache.
set -eu
host=$1 address=$2 checkout=$3 cache=$4
exec 3< "$checkout" 4< "$cache"
mount --make-rshared /

cgroups=$(cat /proc/self/cgroup)
mount -t sysfs sysfs /sys
if [ "$(echo "$cgroups" | wc -l)" = 1 ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  # v2 gives controllers only to the children of a group without processes.
  mkdir -p /sys/fs/cgroup/init
  while read -r pid; do echo "$pid" > /sys/fs/cgroup/init/cgroup.procs || true; done < /sys/fs/cgroup/cgroup.procs
  for c in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$c" > /sys/fs/cgroup/cgroup.subtree_control || true
  done
else
  mount -t tmpfs tmpfs /sys/fs/cgroup
  echo "$cgroups" | while IFS=: read -r _ controllers _; do
    case $controllers in
      '') at=unified; set -- -t cgroup2 cgroup2 ;;
      name=*) at=${controllers#name=}; set -- -t cgroup -o "none,$controllers" cgroup ;;
      *) at=$controllers; set -- -t cgroup -o "$controllers" cgroup ;;
    esac
    mkdir "/sys/fs/cgroup/$at"
    mount "$@" "/sys/fs/cgroup/$at"
    # Controllers that are mounted together are looked for by their single names.
    for alone in $(echo "$at" | tr , ' '); do
      [ -e "/sys/fs/cgroup/$alone" ] || ln -s "$at" "/sys/fs/cgroup/$alone"
    done
  done
fi

mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/log
for dir in /var/lib /opt /usr/libexec /etc; do
  mkdir -p "/run/overlay$dir/upper" "/run/overlay$dir/work"
  mount -t overlay overlay -o "lowerdir=$dir,upperdir=/run/overlay$dir/upper,workdir=/run/overlay$dir/work" "$dir"
done
# What one of these now covers is still reached through the descriptor that was opened before.
bind_back() {
  [ "$2" -ef "/proc/self/fd/$1" ] && return
  mkdir -p "$2"
  mount --no-canonicalize --bind "/proc/self/fd/$1" "$2"
}
bind_back 3 "$checkout"
bind_back 4 "$cache"
exec 3<&- 4<&-

rm -f /etc/resolv.conf
printf 'nameserver 10.96.0.10\nsearch svc.cluster.local cluster.local\n' > /etc/resolv.conf

hostname "$host"
ip link set lo up
ip link add node0 type bridge
ip address add "$address/24" dev node0
ip link set node0 up
ip route add default dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward
