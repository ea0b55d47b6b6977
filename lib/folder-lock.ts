import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { type FileHandle, link, open, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CellrouteError, type LockOwner } from './errors.js';
import { unwritable } from './file-errors.js';
import { makeFolder, removeTemporaryFiles } from './weights/atomic.js';

/** Name of the lock file, which names the process that writes to its folder. */
export const LOCK_FILE = '.cellroute.lock';

/** Interval between updates of the lock file's time by its owner. */
const HEARTBEAT_MS = 5_000;

/** Age of the heartbeat at which a lock of another machine expires. */
const EXPIRES_MS = 30_000;

/** Maximum time between locking the file and writing the owner's name. */
const NAME_WAIT_MS = 1_000;

/** Position of the locked byte. Windows does not let others read a locked range, so it is beyond the content. */
const LOCKED_BYTE = 2 ** 40;

/** Size of the file, larger than any record, so that one write replaces a record without truncating the file. */
const FILE_BYTES = 2_048;

/** Content of a lock file. */
interface LockRecord extends LockOwner {
  version: 1;
  /** Distinguishes successive locks in the same file. */
  token: string;
  /** Id of the machine and its boot. Locks of the operating system are trusted only on the same machine. */
  machine: string;
  /** Namespace of `pid`, because a container has its own process ids. */
  pidSpace: string;
  /** Start time of the process, because process ids are reused. */
  processStart: string;
  /** `lock` if the operating system locks the file; `lease` if the file system cannot, and only the heartbeat counts. */
  held: 'lock' | 'lease';
}

/**
 * Exclusive right to write to a folder.
 *
 * The operating system holds the lock and releases it when its owner ends, however it ends. Some network file systems lock
 * only within one machine, or not at all. Therefore the lock file also names its owner and has a heartbeat, and a lock of
 * another machine is respected until its heartbeat is 30 seconds old.
 */
export class FolderLock {
  readonly folder: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #record: LockRecord;
  readonly #heartbeat: NodeJS.Timeout;
  #users = 1;

  /** For a file that is already locked; use {@link acquire}. */
  constructor(folder: string, handle: FileHandle, record: LockRecord) {
    this.folder = folder;
    this.#path = join(folder, LOCK_FILE);
    this.#handle = handle;
    this.#record = record;
    this.#heartbeat = setInterval(() => {
      const now = new Date();
      // If the update fails, the lock expires, and `verify` reports a new owner.
      handle.utimes(now, now).catch(() => undefined);
    }, HEARTBEAT_MS).unref();
  }

  /**
   * Locks a folder, which is created if it does not exist, and deletes what processes that were killed left unfinished in it.
   *
   * @throws {CellrouteError} RUN_LOCKED if another process, or another part of this one, holds the lock; FILE_UNWRITABLE
   */
  static async acquire(folder: string): Promise<FolderLock> {
    folder = resolve(folder);
    const own = heldHere.getStore()?.find((lock) => lock.folder === folder);
    if (own) {
      own.#users++;
      return own;
    }
    await makeFolder(folder);
    try {
      const lock = (await acquireLock(folder)) ?? (await acquireLease(folder));
      await removeTemporaryFiles(folder).catch(() => undefined);
      return lock;
    } catch (error) {
      return unwritable(join(folder, LOCK_FILE))(error);
    }
  }

  /**
   * Checks that this lock is still valid. It is lost if the process or its machine was suspended until another machine took
   * over, or if the file was deleted.
   *
   * @throws {CellrouteError} RUN_LOCKED
   */
  async verify(): Promise<void> {
    const record = parse(await readFile(this.#path, 'utf8').catch(() => ''));
    if (record?.token !== this.#record.token) {
      throw locked(this.folder, record, 'The lock of this process is lost: ');
    }
  }

  /** Releases the lock, once per acquisition. */
  async release(): Promise<void> {
    if (--this.#users > 0) return;
    clearInterval(this.#heartbeat);
    try {
      // Before the descriptor is closed, because afterwards the file may belong to another process.
      const record = parse(await readFile(this.#path, 'utf8'));
      if (record?.token === this.#record.token) await unlink(this.#path);
    } catch {
      // The file then names the last owner, but is not locked.
    } finally {
      await this.#handle.close();
    }
  }
}

/** Folders that are locked in the current asynchronous context. */
const heldHere = new AsyncLocalStorage<readonly FolderLock[]>();

/**
 * Runs an action while a folder is locked. Inside the action, {@link FolderLock.acquire} returns the same lock, so that a
 * command that locks its output folder early can call functions that lock it themselves.
 *
 * @throws {CellrouteError} the errors of {@link FolderLock.acquire}
 */
export async function withFolderLock<T>(folder: string, action: () => Promise<T>): Promise<T> {
  const lock = await FolderLock.acquire(folder);
  try {
    return await heldHere.run([...(heldHere.getStore() ?? []), lock], action);
  } finally {
    await lock.release();
  }
}

/** Acquires a lock of the operating system; undefined if it or the file system does not support it. */
async function acquireLock(folder: string): Promise<FolderLock | undefined> {
  const path = join(folder, LOCK_FILE);
  for (;;) {
    const { handle, isNew } = await openOrCreate(path);
    let keep = false;
    try {
      const state = await tryLock(handle);
      if (state === 'unsupported') {
        if (isNew) await unlink(path);
        return undefined;
      }
      if (state === 'taken') throw locked(folder, await ownerOf(path));
      // The previous owner may have deleted the file after it was opened here.
      const [own, current] = await Promise.all([handle.stat(), stat(path).catch(() => undefined)]);
      if (own.ino !== current?.ino || own.dev !== current.dev) continue;
      const before = parse(await readFile(path, 'utf8'));
      if (before && (await isAlive(path, before, 'lock'))) throw locked(folder, before);
      const record = ownRecord('lock');
      await writeRecord(handle, record);
      keep = true;
      return new FolderLock(folder, handle, record);
    } finally {
      if (!keep) await handle.close();
    }
  }
}

/** Acquires a lease: the process that creates the file owns it until its heartbeat ends. */
async function acquireLease(folder: string): Promise<FolderLock> {
  const path = join(folder, LOCK_FILE);
  for (;;) {
    const handle = await open(path, 'wx+').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return undefined;
      throw error;
    });
    if (handle) {
      const record = ownRecord('lease');
      try {
        await writeRecord(handle, record);
      } catch (error) {
        await handle.close();
        await rm(path, { force: true });
        throw error;
      }
      return new FolderLock(folder, handle, record);
    }
    const before = await ownerOf(path);
    if (before && (await isAlive(path, before, 'lease'))) throw locked(folder, before);
    await removeStale(folder, before);
  }
}

/** Removes the lock file of an owner that has ended. Of several processes that try, one succeeds. */
async function removeStale(folder: string, owner: LockRecord | undefined): Promise<void> {
  const path = join(folder, LOCK_FILE);
  const aside = `${path}.${randomUUID()}.part`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = parse(await readFile(aside, 'utf8'));
  // Another process was faster, and the moved file is its new lock.
  if (moved?.token !== owner?.token) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

async function openOrCreate(path: string): Promise<{ handle: FileHandle; isNew: boolean }> {
  for (;;) {
    for (const [flags, expected] of [
      ['wx+', 'EEXIST'],
      ['r+', 'ENOENT'],
    ] as const) {
      try {
        return { handle: await open(path, flags), isNew: flags === 'wx+' };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== expected) throw error;
      }
    }
  }
}

async function tryLock({ fd }: FileHandle): Promise<'held' | 'taken' | 'unsupported'> {
  try {
    const locks = await import('fs-native-extensions');
    return locks.tryLock(fd, LOCKED_BYTE, 1) ? 'held' : 'taken';
  } catch (error) {
    // POSIX allows either error code for a lock that is held.
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'taken' : 'unsupported';
  }
}

/** Whether the owner in a lock file is alive, for a process that holds the file's lock or has no locks. */
async function isAlive(path: string, owner: LockRecord, held: LockRecord['held']): Promise<boolean> {
  const here = placeOfProcess();
  if (owner.machine === here.machine) {
    if (held === 'lock' && owner.held === 'lock') return false;
    if (owner.pidSpace === here.pidSpace) {
      const start = processStart(owner.pid);
      if (start === undefined) return false;
      if (start !== '' && owner.processStart !== '') return start === owner.processStart;
    }
  }
  return (await msSinceHeartbeat(path)) < EXPIRES_MS;
}

/** Age of the heartbeat by the clock of the file server, because the clocks of two machines may differ. */
async function msSinceHeartbeat(path: string): Promise<number> {
  const probe = `${path}.${randomUUID()}.part`;
  try {
    await writeFile(probe, '');
    const [now, then] = await Promise.all([stat(probe), stat(path)]);
    return now.mtimeMs - then.mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Number.POSITIVE_INFINITY;
    throw error;
  } finally {
    await rm(probe, { force: true });
  }
}

/** Owner of the lock. Waits briefly for a process that has locked the file but not yet written its name. */
async function ownerOf(path: string): Promise<LockRecord | undefined> {
  const until = performance.now() + NAME_WAIT_MS;
  for (;;) {
    const record = parse(await readFile(path, 'utf8').catch(() => ''));
    if (record || performance.now() > until) return record;
    await wait(20);
  }
}

function locked(folder: string, owner: LockRecord | undefined, why = ''): CellrouteError {
  const { pid, host, program, since } = owner ?? {};
  const who = owner ? `process ${pid} on ${host} (${program}, since ${since})` : 'another process';
  const elsewhere =
    owner && owner.machine !== placeOfProcess().machine
      ? `. If that process was killed, the lock expires ${EXPIRES_MS / 1000} seconds after it`
      : '';
  return new CellrouteError('RUN_LOCKED', `${why}${folder} is in use by ${who}${elsewhere}`, {
    file: folder,
    ...(owner && {
      owner: { pid: owner.pid, host: owner.host, program: owner.program, since: owner.since },
    }),
  });
}

function ownRecord(held: LockRecord['held']): LockRecord {
  return {
    version: 1,
    token: randomUUID(),
    pid: process.pid,
    host: hostname(),
    program: process.argv
      .slice(0, 3)
      .map((word) => basename(word))
      .join(' ')
      .slice(0, 100),
    since: new Date().toISOString(),
    ...placeOfProcess(),
    processStart: processStart(process.pid) ?? '',
    held,
  };
}

async function writeRecord(handle: FileHandle, record: LockRecord): Promise<void> {
  await handle.write(Buffer.from(JSON.stringify(record).padEnd(FILE_BYTES)), 0, FILE_BYTES, 0);
}

/** Parses a lock record; undefined if the file is new or not a lock file. */
function parse(text: string): LockRecord | undefined {
  try {
    const { version, token, pid, host, program, since, machine, pidSpace, processStart, held } = JSON.parse(
      text.slice(0, FILE_BYTES),
    ) as LockRecord;
    const texts = [token, host, program, since, machine, pidSpace, processStart, held];
    if (version !== 1 || !Number.isInteger(pid) || texts.some((text) => typeof text !== 'string'))
      return undefined;
    return { version, token, pid, host, program, since, machine, pidSpace, processStart, held };
  } catch {
    return undefined;
  }
}

function placeOfProcess(): { machine: string; pidSpace: string } {
  try {
    return {
      machine: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      pidSpace: readlinkSync('/proc/self/ns/pid'),
    };
  } catch {
    return { machine: hostname(), pidSpace: '' };
  }
}

/** Start time of a process in the system's unit; empty if unknown, undefined if there is no such process. */
function processStart(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  try {
    // The name, in parentheses, may contain anything. The start is field 22, the 20th after the name.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // A killed process whose parent has not collected it yet.
    return fields[0] === 'Z' ? undefined : (fields[19] ?? '');
  } catch {
    return '';
  }
}
