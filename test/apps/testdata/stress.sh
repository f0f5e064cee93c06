# needs: stress-ng
# time: 110
# Every stressor checks its own results.
s="--timeout ${SECONDS_EACH}s --verify --temp-path . --quiet"
stress-ng --cpu 2 $s; echo "cpu $?"
stress-ng --vm 2 --vm-bytes 64m $s; echo "vm $?"
stress-ng --fork 2 $s; echo "fork $?"
stress-ng --pipe 2 $s; echo "pipe $?"
stress-ng --futex 2 $s; echo "futex $?"
stress-ng --signal 2 $s 2>/dev/null || stress-ng --sigq 1 --kill 1 --sigpending 1 --sigsuspend 1 $s; echo "signal $?"
