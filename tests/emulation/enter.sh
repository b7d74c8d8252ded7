#!/bin/sh
# enter.sh USERLAND BOARD QEMU_CPU HOSTNAME HOME COMMAND…
# The inside of `unshare -Ur -m --uts`: mounts that no one else sees, then the arm64 userland.
set -eu
userland=$1 board=$2 hostname=$4 home=$5
export QEMU_CPU="$3"
shift 5
root=$userland/rootfs
binfmt=/proc/sys/fs/binfmt_misc

mount -t binfmt_misc binfmt_misc $binfmt # this namespace's own table; Linux 6.7
# P: keep argv[0]; O, F: the kernel opens program and qemu itself, so that chroot hides neither.
printf '%s' ':qemu-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$userland/qemu-aarch64:POF" >$binfmt/register

mount --rbind "$root" "$root"
# One userland serves many tests. Where its own mount forbids the change, tests keep to $home.
[ -e "$userland/writable" ] || mount -o remount,bind,ro "$root" 2>/dev/null || :
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$board/cpuinfo" "$root/proc/cpuinfo"
mount --bind "$board/sys" "$root/sys"
mount --bind "$board/home" "$root$home"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/run"
hostname "$hostname" 2>/dev/null || :
cd /
exec "$(PATH=/usr/sbin:/sbin:/usr/bin:/bin command -v chroot)" "$root" "$@"
