# needs: node
# time: 90
exec 2>&1
node -e 'console.log(6*7)'
for f in fs http workers; do node "$APPS/node/$f.js"; echo "$f $?"; done
echo 'process.stdin.on("data", d => process.stdout.write(String(d).toUpperCase()))' > up.js; echo shout | node up.js
node -e 'process.exit(6)'; echo $?
node -e 'throw new Error("x")' >/dev/null 2>&1; echo $?
