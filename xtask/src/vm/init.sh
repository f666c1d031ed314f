#!/bin/busybox sh
# The guest's first process: a machine with loopback and every kernel file system a tracer may want, one command,
# its exit code on the console, power off.
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb NO_COLOR=1

mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr

hostname guest
ip link set lo up
while read -r module; do
    insmod "/vm/modules/$module" || echo "vm: cannot load $module"
done </vm/modules/order

cd /tmp
sh /vm/command </dev/null
code=$?
# The host looks for this line and for no other; the marker's value is new for every start.
echo "$(cat /vm/marker) $code"
# Changing a terminal setting waits until the terminal has sent everything; powering off does not.
stty -F /dev/ttyS0 -echo
sync
poweroff -f
