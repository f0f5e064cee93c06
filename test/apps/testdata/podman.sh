# needs: podman crun conmon busybox unshare
# time: 240
exec 2>&1
# Everything is in mounts of its own, which go with the shell.
cat > in.sh <<'END'
mount -t cgroup2 none /sys/fs/cgroup; mount -t tmpfs none t; mkdir -p t/root t/run t/tmp t/rf/bin t/b/deep
p() { podman --root $PWD/t/root --runroot $PWD/t/run --tmpdir $PWD/t/tmp --storage-driver overlay --cgroup-manager cgroupfs --events-backend file --runtime crun --log-level error "$@"; }
run() { p run --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --cgroups=disabled --network none "$@"; }
cp $(command -v busybox) t/rf/bin/busybox; for i in sh cat ls ln rm mv mkdir sleep stat sort; do ln -s busybox t/rf/bin/$i; done
tar -C t/rf -c . | p import -q - bb >/dev/null; p images --format '{{.Repository}}'
run --rm bb sh -c 'echo made > /f; rm /bin/mv; mkdir /bin/d; ln /f /g; cat /g; ls /bin; stat -c "%h %F" /f'
run --rm bb ls /
run --name one bb sh -c 'echo kept > /kept; rm /bin/ln; mkdir /deep; mv /bin/sort /deep/sort'; p diff one | sort
p commit -q one im >/dev/null; run --rm im sh -c 'cat /kept; ls /bin /deep'
echo data > t/b/deep/hello
printf 'FROM bb AS first\nRUN echo built > /built; rm /bin/sleep\nCOPY deep /deep\nFROM im\nCOPY --from=first /built /deep/hello /\nRUN cat /built /hello > /both\n' > t/b/Dockerfile
p build -q --network host --isolation chroot -t two t/b >/dev/null; echo build $?; run --rm two sh -c 'cat /both; ls /bin/sleep'
run -d --name back bb sleep 1000 >/dev/null; p exec back sh -c 'echo in > /new; cat /new'; p ps --format '{{.Names}}'
p kill back >/dev/null; p wait back; p rm -a -f >/dev/null; p rmi -a -f >/dev/null; p images -q
END
mkdir t; unshare -m sh in.sh; echo $?; rmdir t; rm in.sh
