const http = require('http'), net = require('net'), dgram = require('dgram'), dns = require('dns');
const server = http.createServer((q, r) => { let n = 0; q.on('data', c => n += c.length).on('end', () => r.end(q.url + ' ' + n)); });
const get = (port, n) => new Promise((ok, no) => {
  const q = http.request({ port, host: '127.0.0.1', path: '/' + n, method: 'POST' }, r => { let s = ''; r.on('data', c => s += c).on('end', () => ok(s)); });
  q.on('error', no); q.end('x'.repeat(n * 10000));
});
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address();
  console.log(await Promise.all([...Array(20).keys()].map(n => get(port, n))));
  server.close(); server.closeAllConnections();
  const done = [], log = x => done.push(String(x)) == 4 && console.log(done.sort());
  const u = net.createServer(c => c.end('unix')).listen('sock', () => net.connect('sock').on('data', d => { log(d); u.close(); }));
  net.connect(1, '127.0.0.1').on('error', e => log(e.code));
  const d = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => d.send('udp', d.address().port, '127.0.0.1')).on('message', m => { log(m); d.close(); });
  dns.lookup('localhost', { family: 4 }, (e, a) => log(a));
});
server.on('close', () => setTimeout(() => console.log('timer'), 200));
