# needs: runc busybox unshare
# time: 60
exec 2>&1
# Everything is in mounts of its own, which go with the shell.
cat > in.sh <<'END'
mount -t cgroup2 none /sys/fs/cgroup; mount -t tmpfs none t; mkdir -p t/rootfs/bin t/rootfs/proc t/rootfs/sys t/rootfs/dev; cd t
cp $(command -v busybox) rootfs/bin/busybox; for i in sh id cat head wc mknod ls; do ln -s busybox rootfs/bin/$i; done
# What a program loaded by bpf(2) lets the container do with devices: make any, use those that all may have.
cat > rootfs/run <<'IN'
exec 2>&1; id; head -c 3 /dev/zero | wc -c; mknod /zero c 1 5; head -c 3 /zero | wc -c; mknod /port c 1 4; cat /port; ls /dev/null
IN
runc spec
sed -i 's/"terminal": true/"terminal": false/; s/"readonly": true/"readonly": false/; s/"CAP_KILL"/"CAP_KILL", "CAP_MKNOD"/; s/"sh"/"sh", "\/run"/' config.json
runc --root $PWD/state run of-a-test; echo $?
runc --root $PWD/state list -q
END
mkdir t; unshare -m sh in.sh; echo $?; rmdir t; rm in.sh
