import { maskRCNNConfig } from '../../../lib/config/mask-rcnn.js';

const refused = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('it was taken');
};

describe('resize', () => {
  it("equals torchvision's by default, and has no factor in older files", () => {
    expect(maskRCNNConfig().resize).toEqual({ minSize: 800, maxSize: 1333, scale: null });
    expect(maskRCNNConfig({ resize: { minSize: 256, maxSize: 2048 } }).resize).toEqual({
      minSize: 256,
      maxSize: 2048,
      scale: null,
    });
    expect(maskRCNNConfig({ resize: null }).resize).toBeNull();
  });

  it('accepts a factor, which overrides the shorter side', () => {
    expect(maskRCNNConfig({ resize: { scale: 2, maxSize: 600 } }).resize).toEqual({
      minSize: 800,
      maxSize: 600,
      scale: 2,
    });
    expect(refused(() => maskRCNNConfig({ resize: { maxSize: 600 } }))).toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('resize.maxSize'),
    });
  });

  it.each([0, -1, Number.NaN, 101, '2'])('refuses %p as a factor', (scale) => {
    expect(refused(() => maskRCNNConfig({ resize: { scale: scale as number } }))).toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('resize.scale'),
    });
  });
});
