# needs: bash sed sort
# bundle
exec 2>&1
# Pipelines, their exit codes, and here-documents.
seq 1 2000 | sed 's/$/ x/' | sort -rn | head -n 3
false | true | false; echo "${PIPESTATUS[@]} $?"
(set -o pipefail; false | true; echo $?)
cat <<END | tr a-z A-Z
here $((6*7)) $(echo nested "$(echo deep)")
END
cat <<'END'
$literal `text`
END
cat <<<"a string"
while read -r a b; do echo "$b-$a"; done <<END
1 one
2 two
END
# Process substitution, descriptors, arrays.
diff <(seq 5) <(seq 2 6)
exec 7>out 8<>both; echo seven >&7; echo eight >&8; exec 7>&- 8>&-; cat out both
mapfile -t lines < <(seq 3); echo "${#lines[@]} ${lines[*]}"
# Background jobs, wait, traps and signals.
ps=(); for i in 1 2 3; do (exit $i) & ps+=($!); done
for p in "${ps[@]}"; do wait $p; echo "wait $?"; done
sleep 100 & kill -TERM $!; { wait $!; } 2>/dev/null; echo "killed $?"
trap 'echo got USR1' USR1; kill -USR1 $$; trap - USR1
trap 'echo got CHLD' CHLD; (exit 4) & wait $!; echo $?; trap - CHLD
{ (kill -SEGV $BASHPID); } 2>/dev/null; echo "segv $?"
(ulimit -n 20; ulimit -n)
coproc tr a-z A-Z; echo coproc >&${COPROC[1]}; eval "exec ${COPROC[1]}>&-"; cat <&${COPROC[0]}; wait
timeout 0.2 sleep 10; echo "timeout $?"
read -t 0.1 -r line < <(sleep 1); echo "read $?"
umask 027; mkdir d; touch f; stat -c '%A %n' d f
[[ -p /dev/stdin ]]; echo *; echo d/.*
printf '%s\n' {a..e} | xargs -n2 echo
for i in $(seq 60); do /bin/true; done; echo sixty
nosuchcommand; echo $?
/etc/passwd; echo $?
exit 3
