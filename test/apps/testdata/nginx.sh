# needs: nginx curl
# time: 90
exec 2>&1
mkdir -p www logs tmp; echo hello > www/index.html; head -c 3000000 /dev/zero | tr '\0' x > www/big; chmod -R a+rX . 
cat > nginx.conf <<END
worker_processes 2; daemon off; pid $PWD/nginx.pid; error_log $PWD/logs/error.log; user root;
events { worker_connections 256; }
http { access_log $PWD/logs/access.log; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
 sendfile on; gzip on; gzip_types text/plain;
 server { listen 127.0.0.1:8399; listen unix:$PWD/sock; root $PWD/www; location /proxy/ { proxy_pass http://127.0.0.1:8399/; } location /list/ { alias $PWD/www/; autoindex on; } } }
END
nginx -p $PWD -c nginx.conf & server=$!
for i in $(seq 100); do curl -s -o /dev/null http://127.0.0.1:8399/ && break; sleep 0.1; done
curl -s http://127.0.0.1:8399/; curl -s http://127.0.0.1:8399/big | md5sum; curl -s -r 10-19 http://127.0.0.1:8399/big; echo
curl -s http://127.0.0.1:8399/proxy/; curl -s -o /dev/null -w '%{http_code} %{size_download}\n' http://127.0.0.1:8399/none
curl -s --unix-socket sock http://x/index.html; curl -s http://127.0.0.1:8399/list/ | grep -c href
seq 60 | xargs -P 8 -I{} curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8399/big | sort | uniq -c
kill -HUP $server; sleep 0.5; curl -s http://127.0.0.1:8399/; wc -l < logs/access.log
kill -QUIT $server; wait $server; echo $?; curl -s http://127.0.0.1:8399/; echo $?; grep -c none logs/error.log
