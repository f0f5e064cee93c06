const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (!isMainThread) {
  const a = new Int32Array(workerData);
  for (let n = 0; n < 10000; n++) Atomics.add(a, 0, 1);
  Atomics.wait(a, 1, 0, 20);
  parentPort.postMessage('done');
} else {
  const shared = new SharedArrayBuffer(8);
  Promise.all([...Array(4)].map(() => new Promise((ok, no) => new Worker(__filename, { workerData: shared }).on('message', ok).on('error', no))))
    .then(r => console.log(r, new Int32Array(shared)[0]));
}
