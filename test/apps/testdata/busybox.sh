# needs: busybox
# bundle
exec 2>&1
b=$(command -v busybox)
$b sh -c 'echo $((1+2)); for i in 1 2 3; do echo $i; done | busybox wc -l; busybox seq 5 | busybox tac | busybox tr "\n" " "'
$b mkdir -p x/y; $b dd if=/dev/zero of=x/y/z bs=1k count=100 2>/dev/null; $b tar cf - x | $b gzip | $b zcat | $b tar tf -
$b find x | $b sort; $b md5sum x/y/z; $b awk 'BEGIN { for (i = 0; i < 3; i++) print i }'; $b sed s/a/b/ <<<abc; $b vi --help >/dev/null 2>&1; echo $?
$b ps | $b grep -c '[b]usybox ps'; $b stat -c '%s %a' x/y/z; $b rm -r x; $b ls; $b sleep 0.1; $b timeout 1 $b true; echo $?; $b nosuch; echo $?
$b ash -c 'trap "echo trapped" TERM; kill -TERM $$; (exit 5); echo $?; trap - TERM; { sleep 5 & kill $!; wait $!; } 2>/dev/null; echo $?'
