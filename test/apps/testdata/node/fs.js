const fs = require('fs'), fsp = fs.promises, path = require('path'), cp = require('child_process'), crypto = require('crypto'), zlib = require('zlib');
(async () => {
  await fsp.mkdir('d/e', { recursive: true });
  await Promise.all([...Array(200).keys()].map(n => fsp.writeFile(`d/e/${n}`, String(n).repeat(n))));
  console.log((await fsp.readdir('d/e')).length, (await fsp.stat('d/e/99')).size);
  await fsp.rename('d/e/1', 'd/one'); await fsp.symlink('one', 'd/link'); console.log(fs.readFileSync('d/link', 'utf8'));
  await fsp.copyFile('d/e/199', 'd/copy'); await fsp.appendFile('d/copy', '!'); console.log(fs.statSync('d/copy').size);
  const w = fs.watch('d'), seen = new Promise(r => w.once('change', (type, name) => r([type, name])));
  await fsp.writeFile('d/new', ''); console.log(await seen); w.close();
  await new Promise((ok, no) => fs.createReadStream('d/copy').pipe(zlib.createGzip()).pipe(fs.createWriteStream('d/gz')).on('finish', ok).on('error', no));
  console.log(zlib.gunzipSync(fs.readFileSync('d/gz')).length);
  await fsp.rm('d', { recursive: true }); console.log(fs.existsSync('d'));
  console.log(crypto.createHash('sha1').update('abc').digest('hex'), crypto.randomBytes(20).length);
  console.log(cp.execSync('echo sh; cat', { input: 'in' }).toString(), cp.spawnSync('sh', ['-c', 'kill -9 $$']).signal);
  const p = cp.spawn('cat'); p.stdin.end('spawned'); let out = ''; for await (const c of p.stdout) out += c; console.log(out);
  const f = cp.fork(path.join(process.env.APPS, 'node/child.js')); console.log(await new Promise(r => { f.on('message', r); f.send(20); })); f.disconnect();
  try { await fsp.readFile('/nonexistent'); } catch (e) { console.log(e.message); }
})();
