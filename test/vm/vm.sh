#!/bin/sh
# Runs a program in a virtual machine that sees this machine's files, boots
# systemd, and has control groups of version 2 alone: vm.sh DIRECTORY PROGRAM ARG...
#
# Without acceleration, so that it works in a virtual machine too: Debian's kernel
# is up in a few seconds, systemd some more. Every file of the host is there read-only
# through 9p, with memory over it; DIRECTORY is shared, at its own path, for what goes
# in and out. The status of the program is that of vm.sh; 77 says that there can be no
# such machine here, and why.
#
# The kernel is taken from $VM_KERNEL, a directory with boot/ and lib/modules/, or else
# fetched by apt and kept below ~/.cache/cordon-vm.
set -eu

skip() {
	echo "vm: $*" >&2
	exit 77
}

share=$(realpath "$1")
shift
[ "$(id -u)" = 0 ] || skip "reading all files needs root"
for need in qemu-system-x86_64 busybox cpio; do
	command -v $need >/dev/null || skip "no $need (apt-get install qemu-system-x86 busybox-static cpio)"
done
[ -x /lib/systemd/systemd ] && command -v dbus-daemon >/dev/null || skip "no systemd and dbus on this machine"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/cordon-vm
kernel=${VM_KERNEL:-$cache/kernel}
if ! ls "$kernel"/boot/vmlinuz-* >/dev/null 2>&1; then
	mkdir -p "$cache/get"
	name=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -1)
	[ -n "$name" ] || skip "apt knows no linux-image-amd64, and VM_KERNEL names no kernel"
	(cd "$cache/get" && apt-get -qq download "$name" >/dev/null 2>&1 && dpkg-deb -x "$name"_*.deb "$kernel" && rm -f "$name"_*.deb) ||
		skip "cannot fetch $name"
fi
image=$(ls "$kernel"/boot/vmlinuz-* | head -1)
modules=$(ls -d "$kernel"/lib/modules/* | head -1)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/bin" "$work/root/modules" "$work/root/proc" "$work/root/lower" "$work/root/upper" "$work/root/new"
cp "$(command -v busybox)" "$work/root/bin/busybox"

# add puts a module and what it needs into the list, in the order of loading.
list=""
add() {
	file=$(find "$modules/kernel" -name "$1.ko" -o -name "$(echo "$1" | tr _ -).ko" | head -1)
	[ -n "$file" ] || return 0 # built in
	case " $list " in *" $1 "*) return 0 ;; esac
	for dep in $(grep -a -o 'depends=[a-z0-9_,]*' "$file" | head -1 | cut -d = -f 2 | tr , ' '); do
		add "$dep"
		file=$(find "$modules/kernel" -name "$1.ko" | head -1)
	done
	list="$list $1"
	cp "$(find "$modules/kernel" -name "$1.ko" -o -name "$(echo "$1" | tr _ -).ko" | head -1)" "$work/root/modules/$1.ko"
}
for m in virtio_pci 9pnet_virtio 9p overlay loop veth; do add $m; done

cat >"$work/root/init" <<END
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc
for m in $list; do \$b insmod /modules/\$m.ko || echo "vm: no \$m"; done
o=trans=virtio,version=9p2000.L,msize=262144
\$b mount -t 9p -o ro,cache=loose,\$o host /lower || \$b poweroff -f
\$b mount -t tmpfs tmpfs /upper
\$b mkdir /upper/u /upper/w
\$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/u,workdir=/upper/w overlay /new
for d in run tmp var/tmp; do \$b mount -t tmpfs tmpfs /new/\$d; done
\$b mkdir -p /new$share
\$b mount -t 9p -o rw,\$o share /new$share
\$b cp -a /new$share/.vm/units/. /new/etc/systemd/system/
# Made from a container's image, the machine would take itself for one.
\$b rm -f /new/.dockerenv
\$b umount /proc
exec \$b switch_root /new /lib/systemd/systemd --unit=vm.target --show-status=0 --log-level=${VM_LOG:-err}
END
chmod +x "$work/root/init" "$work/root/bin/busybox"
ln -s busybox "$work/root/bin/sh"
(cd "$work/root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd"

# What systemd starts: the message bus, and the program.
units="$share/.vm/units"
rm -rf "$share/.vm"
mkdir -p "$units"
{
	echo "#!/bin/sh"
	echo "export PATH=$PATH HOME=/root"
	printf 'cd %s\n' "'$(pwd)'"
	for a in "$@"; do printf " '%s'" "$(printf %s "$a" | sed "s/'/'\\\\''/g")"; done
	echo
	echo "echo \$? >$share/.vm/status"
} >"$share/.vm/program"
cat >"$units/vm.service" <<END
[Unit]
DefaultDependencies=no
Requires=dbus.socket
After=dbus.socket
[Service]
Type=oneshot
ExecStart=/bin/sh $share/.vm/program
ExecStopPost=/bin/systemctl poweroff --force --force
StandardOutput=tty
StandardError=tty
TimeoutStartSec=infinity
TTYPath=/dev/ttyS0
Delegate=yes
END
cat >"$units/vm.target" <<END
[Unit]
DefaultDependencies=no
Requires=vm.service
After=vm.service
END
mkdir -p "$units/dbus.service.d" "$units/dbus.socket.d"
printf '[Unit]\nDefaultDependencies=no\n' | tee "$units/dbus.service.d/vm.conf" >"$units/dbus.socket.d/vm.conf"
for d in dbus.service dbus.socket; do
	# The file itself: its own dependencies cannot be taken back by a part.
	sed '/^\[Unit\]/aDefaultDependencies=no' "/lib/systemd/system/$d" >"$units/$d"
	rm -rf "$units/$d.d"
done

timeout -k 5 "${VM_TIMEOUT:-600}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp "${VM_CPUS:-2}" -m "${VM_MEMORY:-2048}" \
	-display none -no-reboot -serial stdio -monitor none -nic none \
	-kernel "$image" -initrd "$work/initrd" \
	-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
	-virtfs local,path="$share",mount_tag=share,security_model=none,multidevs=remap \
	-append "console=ttyS0 quiet loglevel=3 panic=1 mitigations=off systemd.unified_cgroup_hierarchy=1" </dev/null
status=$(cat "$share/.vm/status" 2>/dev/null || echo 1)
rm -rf "$share/.vm"
exit "$status"
