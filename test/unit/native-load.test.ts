import { dirname } from 'node:path';
import { loadNative } from '../../lib/index.js';
import { thrown } from '../support/sdk.js';

test('another LibTorch than the loaded one is refused, also if its path starts with that of the other', () => {
  const { libtorchFolder } = loadNative();
  for (const same of [libtorchFolder, dirname(libtorchFolder)]) {
    expect(loadNative({ libtorch: same }).libtorchFolder).toBe(libtorchFolder);
  }
  for (const other of [libtorchFolder.slice(0, -1), `${libtorchFolder}2`]) {
    expect(thrown(() => loadNative({ libtorch: other }))).toMatchObject({
      code: 'LIBTORCH_MISMATCH',
      details: { expected: libtorchFolder, got: other },
    });
  }
});
