// Locks a folder, reports it, and keeps the lock until its standard input ends or it is killed.
const { join } = require('node:path');

const [dist, folder, user] = process.argv.slice(2);
const { FolderLock } = require(join(dist, 'folder-lock.js'));
// Root can write anywhere, so another user is needed.
if (user !== undefined) process.seteuid(Number(user));

FolderLock.acquire(folder).then(
  (lock) => {
    console.log('locked');
    process.stdin.on('end', () => lock.release()).resume();
  },
  ({ code, message, details }) => {
    console.log(JSON.stringify({ code, message, owner: details?.owner }));
  },
);
