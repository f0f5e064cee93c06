# needs: ip6tables ip6tables-legacy curl python3
# time: 60
python3 -m http.server --bind ::1 8000 >/dev/null 2>&1 &
sleep 1.5
C="curl -s -o /dev/null -m 2 -w %{http_code}\n"
for I in ip6tables ip6tables-legacy; do
$I -A INPUT -p tcp --dport 8000 -j REJECT
$C "http://[::1]:8000/"; $I -S
$I -F; $I -t nat -A OUTPUT -p tcp --dport 80 -j REDIRECT --to-ports 8000
$C "http://[::1]:80/"; $I -t nat -F; $C "http://[::1]:80/"
done
kill %1
