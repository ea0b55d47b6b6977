import { type FileHandle, open, stat } from 'node:fs/promises';
import { cannotRead, unreadable } from '../file-errors.js';
import { damaged } from './errors.js';

/** A file opened for reading, with a fixed size. A read outside the file is refused, never shortened. */
export class BoundedFile {
  private constructor(
    readonly path: string,
    readonly size: number,
    private readonly handle: FileHandle,
  ) {}

  static async open(path: string): Promise<BoundedFile> {
    let handle: FileHandle | undefined;
    try {
      // Opening a named pipe would block, so the type is checked before opening, and again afterwards.
      if (!(await stat(path)).isFile()) throw cannotRead(path, 'is not a regular file');
      handle = await open(path, 'r');
      return new BoundedFile(path, (await handle.stat()).size, handle);
    } catch (error) {
      await handle?.close();
      return unreadable(path)(error);
    }
  }

  /** Fills `target` from the file at `position`. */
  async readInto(target: Uint8Array, position: number): Promise<void> {
    this.checkRange(position, target.byteLength);
    for (let done = 0; done < target.byteLength; ) {
      const length = Math.min(target.byteLength - done, 1 << 30);
      const { bytesRead } = await this.read(target, done, length, position + done);
      if (bytesRead === 0)
        throw damaged(
          { file: this.path, position: position + done },
          'the file was shortened while it was read',
        );
      done += bytesRead;
    }
  }

  /** Reads bytes of the file. The range is checked before memory is allocated. */
  async bytes(position: number, length: number): Promise<Buffer> {
    this.checkRange(position, length);
    const buffer = Buffer.allocUnsafe(length);
    await this.readInto(buffer, position);
    return buffer;
  }

  private checkRange(position: number, length: number): void {
    const inside =
      Number.isSafeInteger(position) &&
      position >= 0 &&
      length <= this.size &&
      position <= this.size - length;
    if (inside) return;
    throw damaged(
      { file: this.path, position: Math.min(Math.max(0, position), this.size) },
      `expected ${length} bytes here, but the file ends at ${this.size}`,
    );
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  private read(target: Uint8Array, offset: number, length: number, position: number) {
    return this.handle.read(target, offset, length, position).catch(unreadable(this.path));
  }
}
