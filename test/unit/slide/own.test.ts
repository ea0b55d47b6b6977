import type { Slide } from '../../../lib/image/slide.js';
import { readWindow } from '../../../lib/inference/slide-sample.js';

test('an abort ends the wait for a window of a slide that ignores the signal', async () => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const slide: Slide = {
    width: 64,
    height: 64,
    levels: [{ width: 64, height: 64, downsample: 1 }],
    channels: [''],
    read: () => {
      setImmediate(() => stop.abort(reason));
      return new Promise(() => {});
    },
    close: async () => {},
  };
  const window = { x: 0, y: 0, width: 64, height: 64 };
  await expect(readWindow(slide, window, stop.signal)).rejects.toBe(reason);
});
