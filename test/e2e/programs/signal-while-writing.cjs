// Runs a program that gets a signal when it opens a file whose name contains NAME for the COUNT-th time. SIGKILL comes when
// half of the first write is done.
//   signal-while-writing.cjs NAME COUNT SIGNAL PROGRAM [ARGUMENTS...]
const fs = require('node:fs/promises');
const { runMain } = require('node:module');

const [name, count, signal, program] = process.argv.splice(1, 5, process.argv[5]).slice(1);
const { open } = fs;
let opened = 0;

fs.open = async (path, ...rest) => {
  const handle = await open(path, ...rest);
  if (!String(path).includes(name) || ++opened !== Number(count)) return handle;
  if (signal !== 'SIGKILL') {
    process.kill(process.pid, signal);
    return handle;
  }
  const { write } = handle;
  handle.write = async (bytes, offset, length) => {
    await write.call(handle, bytes, offset, Math.ceil(length / 2));
    process.kill(process.pid, signal);
    // The process may run on until the signal arrives.
    return new Promise(() => {});
  };
  return handle;
};

runMain(program);
