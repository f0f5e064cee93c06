# needs: python3
# A wait has all that is ready, as much as there is room for.
python3 - <<'P'
import os, resource, select
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 7000), hard))
r, w = os.pipe()
e = select.epoll()
n = 0
try:
    for n in range(6000):
        e.register(os.dup(w), select.EPOLLOUT)
except OSError:
    n = -1
print(n, len(e.poll(0, 10000)), len(e.poll(0, 5000)))
P
