import { BoundedFile } from './bounded-file.js';
import { isContiguous, tensorBytes } from './layout.js';
import { itemBytes, type TensorEntry } from './table.js';

/** Size of the blocks that are read when a tensor is not contiguous. */
const CHUNK_BYTES = 1 << 20;

/** An axis of a tensor that is gathered: its stride in the file, and in the contiguous result. */
interface Axis {
  length: number;
  stride: number;
  denseStride: number;
}

/** Reads tensors of a weights file as little-endian elements in row-major order. */
export class TensorReader {
  constructor(private readonly file: BoundedFile) {}

  static async open(path: string): Promise<TensorReader> {
    return new TensorReader(await BoundedFile.open(path));
  }

  /** Reads a whole tensor. */
  async read(entry: TensorEntry): Promise<Uint8Array> {
    if (isContiguous(entry)) return this.file.bytes(entry.offset, tensorBytes(entry));
    return this.gather(entry);
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /**
   * Reads the file in ascending order, whatever the order of the axes, in a few large blocks, and copies each element to
   * its position. A gap larger than a block is not read.
   */
  private async gather(entry: TensorEntry): Promise<Uint8Array> {
    const bytes = itemBytes(entry.dtype);
    const target = new Uint8Array(tensorBytes(entry));
    const axes = axesInFileOrder(entry);
    const reach = (level: number) =>
      axes.slice(level).reduce((sum, { length, stride }) => sum + (length - 1) * stride, 1);

    const visit = async (level: number, from: number, to: number): Promise<void> => {
      const axis = axes[level];
      const inner = reach(level + 1);
      if (!axis || reach(level) * bytes <= CHUNK_BYTES) {
        const piece = await this.file.bytes(entry.offset + from * bytes, reach(level) * bytes);
        scatter(piece, target, axes.slice(level), to, bytes);
      } else if (inner * bytes <= CHUNK_BYTES) {
        const maxLength = 1 + Math.floor((CHUNK_BYTES / bytes - inner) / axis.stride);
        for (let start = 0; start < axis.length; start += maxLength) {
          const length = Math.min(maxLength, axis.length - start);
          const part = [{ ...axis, length }, ...axes.slice(level + 1)];
          const piece = await this.file.bytes(
            entry.offset + (from + start * axis.stride) * bytes,
            ((length - 1) * axis.stride + inner) * bytes,
          );
          scatter(piece, target, part, to + start * axis.denseStride, bytes);
        }
      } else {
        for (let i = 0; i < axis.length; i++) {
          await visit(level + 1, from + i * axis.stride, to + i * axis.denseStride);
        }
      }
    };
    await visit(0, 0, 0);
    return target;
  }
}

function axesInFileOrder({ shape, strides }: TensorEntry): Axis[] {
  const axes: Axis[] = [];
  let denseStride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis]!;
    if (length > 1) axes.push({ length, stride: strides[axis]!, denseStride });
    denseStride *= length;
  }
  return axes.sort((a, b) => b.stride - a.stride);
}

/** Copies elements of `piece`, which starts at the first element of the axes, to `target` from element `to`. */
function scatter(piece: Uint8Array, target: Uint8Array, axes: Axis[], to: number, bytes: number): void {
  const last = axes.at(-1) ?? { length: 1, stride: 1, denseStride: 1 };
  const outer = axes.slice(0, -1);
  const index = new Array<number>(outer.length).fill(0);
  let source = 0;
  let dense = to;
  for (;;) {
    for (let i = 0; i < last.length; i++) {
      const from = (source + i * last.stride) * bytes;
      const into = (dense + i * last.denseStride) * bytes;
      for (let byte = 0; byte < bytes; byte++) target[into + byte] = piece[from + byte]!;
    }
    let axis = outer.length - 1;
    for (; axis >= 0; axis--) {
      const { length, stride, denseStride } = outer[axis]!;
      source += stride;
      dense += denseStride;
      if (++index[axis]! < length) break;
      index[axis] = 0;
      source -= length * stride;
      dense -= length * denseStride;
    }
    if (axis < 0) return;
  }
}
