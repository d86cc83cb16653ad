#!/bin/sh
# Runs a command in a small world of its own. unshare has started this script as the
# first process of new namespaces: with a list of processes, of mounts and of network
# interfaces (none) of its own. When this script ends, the system ends all that it began.
#
#   sandbox.sh FOLDER USER BYTES SOURCE:TARGET... -- PATH... -- COMMAND...
#
# FOLDER is an empty folder that becomes the root, USER the number of an account without
# rights (0: keep the present one) and BYTES the room for all files. SOURCE is copied to
# TARGET, below /home, and may be changed there; each PATH is shown at its own place and
# cannot be changed.
set -eu
export PATH="$PATH:/usr/sbin:/sbin"

root=$1 user=$2 bytes=$3
shift 3

# Whatever can be written lives in memory, in a limited room, and goes with it.
# Empty files take memory as well, so that their number is limited, too.
mount -t tmpfs -o "size=$bytes,nr_inodes=100000,mode=755" tmpfs "$root"
mkdir -p "$root/tmp" "$root/dev/shm" "$root/proc" "$root/home"

while [ "$1" != -- ]; do
    mkdir -p "$(dirname "$root${1##*:}")"
    cp -R "${1%:/home/*}" "$root${1##*:}"
    shift
done
shift
chmod 1777 "$root/tmp" "$root/dev/shm"
if [ "$user" != 0 ]; then
    chown -R "$user:$user" "$root/home"
fi

while [ "$1" != -- ]; do
    if [ -L "$1" ]; then
        mkdir -p "$(dirname "$root$1")"
        cp -P "$1" "$root$1"
    elif [ -d "$1" ]; then
        mkdir -p "$root$1"
        mount --rbind "$1" "$root$1"
        mount -o remount,bind,ro "$root$1"
    elif [ -e "$1" ]; then
        mkdir -p "$(dirname "$root$1")"
        : > "$root$1"
        mount --bind "$1" "$root$1"
        case $1 in
            /dev/*) ;;
            *) mount -o remount,bind,ro "$root$1" ;;
        esac
    fi
    shift
done
shift
mount -t proc proc "$root/proc"
# Memory that belongs to no process would be counted nowhere: none is shared by number,
# and where this is a namespace of users, it gets none below it that could mount more.
(echo 0 > "$root/proc/sys/kernel/shmall") 2>/dev/null || true
if [ "$user" = 0 ]; then
    (echo 0 > "$root/proc/sys/user/max_user_namespaces") 2>/dev/null || true
fi

# From here on, nothing of the machine is left but what was shown.
cd "$root"
mkdir old
pivot_root . old
cd /home
umount -l /old
rmdir /old

if [ "$user" != 0 ]; then
    account="--reuid=$user --regid=$user --clear-groups"
else
    account=
fi
# shellcheck disable=SC2086 # the options are words of their own
setpriv $account --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
