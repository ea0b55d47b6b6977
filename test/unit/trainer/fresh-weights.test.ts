import { SegmenterNetwork } from '../../../lib/trainer/network.js';
import { bytesOfAll, floats, options, sampling, tinyMaskRCNN } from '../../support/networks.js';

describe('fresh weights', () => {
  /** Distribution of a tensor in torchvision: deviation of a normal, bound of a uniform distribution, or one value. */
  type Draw = { deviation: number } | { bound: number } | { value: number };

  /** From torchvision's sources: resnet.py, feature_pyramid_network.py, rpn.py, faster_rcnn.py, mask_rcnn.py. */
  function drawOf(key: string, shape: readonly number[], weightShape: readonly number[]): Draw {
    const area = shape.slice(2).reduce((product, side) => product * side, 1);
    const toReLU = { deviation: Math.sqrt(2 / (shape[0]! * area)) };
    const fanIn = weightShape.slice(1).reduce((product, side) => product * side, 1);
    // Default initialization of nn.Linear and nn.ConvTranspose2d.
    const usual = { bound: 1 / Math.sqrt(fanIn) };
    const bias = key.endsWith('.bias');
    if (/\b(bn\d|downsample\.1)\./.test(key)) return { value: /weight|running_var/.test(key) ? 1 : 0 };
    if (key.startsWith('backbone.body.')) return toReLU;
    if (key.startsWith('backbone.fpn.')) return bias ? { value: 0 } : { bound: Math.sqrt(3 / fanIn) };
    if (key.startsWith('rpn.')) return bias ? { value: 0 } : { deviation: 0.01 };
    if (/box_head|box_predictor/.test(key)) return usual;
    if (/mask_head/.test(key) && bias) return { value: 0 };
    return bias ? usual : toReLU;
  }

  test("have torchvision's distributions", async () => {
    const config = tinyMaskRCNN('batch', 9);
    Object.assign(config.fpn, { channels: 32 });
    Object.assign(config.backbone, { width: 16 });
    await using network = await SegmenterNetwork.create(config, { ...options, averageDecay: null, sampling });
    const shapes = new Map(network.tensors().map(({ name, shape }) => [name, shape]));
    for (const [name, bytes] of await bytesOfAll(network.tensors())) {
      if (!name.startsWith('model.') || name.endsWith('num_batches_tracked')) continue;
      const values = floats(bytes);
      const draw = drawOf(
        name.slice('model.'.length),
        shapes.get(name)!,
        shapes.get(name.replace(/bias$/, 'weight')) ?? [],
      );
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const seen = { name, deviation, largest };
      if ('value' in draw) {
        expect({ name, values: new Set(values) }).toEqual({ name, values: new Set([draw.value]) });
        continue;
      }
      const expected = 'bound' in draw ? draw.bound / Math.sqrt(3) : draw.deviation;
      // Five standard errors of the estimated deviation.
      const slack = 5 / Math.sqrt(2 * values.length);
      expect({ ...seen, right: Math.abs(deviation / expected - 1) < slack }).toEqual({
        ...seen,
        right: true,
      });
      if ('bound' in draw) expect(largest).toBeLessThanOrEqual(draw.bound * (1 + 1e-6));
      else if (values.length > 500) expect(largest).toBeGreaterThan(2 * draw.deviation);
    }
  });
});
