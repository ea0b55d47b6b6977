import sharp from 'sharp';
import { histogramSvg, renderHistogram } from '../../lib/render/histogram.js';
import { type PlotOptions, plotSvg, renderPlot } from '../../lib/render/plot.js';
import { svgTextWidth } from '../../lib/render/svg-text.js';
import { linearTicks, logTicks, tickText } from '../../lib/render/ticks.js';

const labels = { title: 'Loss', xLabel: 'step', yLabel: 'loss' };
const line = (...points: [number, number][]) => ({ name: 'line', points });
const plot = (...series: PlotOptions['series']) => plotSvg({ ...labels, series });
/** Corners of the lines, recognised by their width of 2 pixels. */
const corners = (svg: string) =>
  [...svg.matchAll(/<path d="([^"]+)" stroke="#\w+" stroke-width="2" /g)].map(([, path]) =>
    path!
      .split('M')
      .slice(1)
      .map((piece) => piece.split('L').map((corner) => corner.split(' ').map(Number))),
  );

describe('ticks', () => {
  test('steps of 1, 2 and 5, without rounding errors of sums', () => {
    expect(linearTicks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(linearTicks(0.5, 0.95, 10)).toEqual([0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]);
    expect(linearTicks(-3, 12, 4)).toEqual([0, 5, 10]);
    expect(linearTicks(0, 3e-7, 3)).toEqual([0, 1e-7, 2e-7, 3e-7]);
  });

  test('of counts are no fractions, and the count where there is room for each', () => {
    expect(linearTicks(0, 1, 5, true)).toEqual([0, 1]);
    expect(linearTicks(0.5, 3.5, 10, true)).toEqual([1, 2, 3]);
    expect(linearTicks(0, 40, 4, true)).toEqual([0, 10, 20, 30, 40]);
  });

  test('powers of ten, with 2 and 5 where there are few', () => {
    expect(logTicks(0.05, 3, 8)).toEqual([0.05, 0.1, 0.2, 0.5, 1, 2]);
    expect(logTicks(1e-6, 10, 8)).toEqual([1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10]);
    expect(logTicks(1e-12, 1, 4).length).toBeLessThanOrEqual(4);
  });

  test('have short labels', () => {
    expect([0, 0.05, -2, 20_000, 2.5e6, 3e9, 1e-7].map(tickText)).toEqual([
      '0',
      '0.05',
      '−2',
      '20,000',
      '2.5M',
      '3G',
      '1e−7',
    ]);
  });
});

describe('a plot', () => {
  test('is a non-empty image of the given size', async () => {
    const png = await renderPlot({ ...labels, series: [line([0, 1], [1, 2])], width: 400, height: 300 });
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([400, 300]);
    const dark = data.filter((value) => value < 128).length;
    expect(dark).toBeGreaterThan(200);
  });

  test('places larger values higher and later ones to the right, linearly', () => {
    const [[places]] = corners(plot(line([0, 0], [5, 5], [10, 10]))) as [number[][][]];
    const [a, b, c] = places as [number[], number[], number[]];
    expect(b[0]! - a[0]!).toBeCloseTo(c[0]! - b[0]!, 0);
    expect(a[1]! - b[1]!).toBeCloseTo(b[1]! - c[1]!, 0);
    expect(c[1]).toBeLessThan(a[1]!);
  });

  test('on a logarithmic axis equal ratios are equal distances, and 0 interrupts the line', () => {
    const svg = plotSvg({
      ...labels,
      yScale: 'log',
      series: [line([0, 0.01], [1, 0.1], [2, 1], [3, 0], [4, 1])],
    });
    const [[[a, b, c]]] = corners(svg) as [[[number[], number[], number[]]]];
    expect(a[1]! - b[1]!).toBeCloseTo(b[1]! - c[1]!, 0);
    expect(corners(svg)[0]).toHaveLength(1);
  });

  test('a NaN interrupts the line and affects nothing else', () => {
    const svg = plot(line([0, 1], [1, 2], [2, Number.NaN], [3, Number.POSITIVE_INFINITY], [4, 1], [5, 0]));
    expect(corners(svg)[0]!.map((piece) => piece.length)).toEqual([2, 2]);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test.each<[string, PlotOptions['series']]>([
    ['no line', []],
    ['no point', [line()]],
    ['one point', [line([3, 7])]],
    ['nothing finite', [line([Number.NaN, Number.NaN])]],
    ['one value throughout', [line([0, 5], [1, 5])]],
    ['huge and tiny values', [line([0, 1e300], [1, -1e300]), line([1e-300, 1e-300])]],
  ])('is drawn with %s', async (_name, series) => {
    for (const yScale of ['linear', 'log'] as const) {
      const svg = plotSvg({ ...labels, series, yScale });
      expect(svg).not.toMatch(/NaN|Infinity/);
      await expect(sharp(Buffer.from(svg)).metadata()).resolves.toMatchObject({ width: 960, height: 600 });
    }
  });

  test('100,000 points are reduced to the resolution of the image, with all peaks', () => {
    const points = Array.from({ length: 100_000 }, (_, i): [number, number] => [i, Math.sin(i)]);
    points[51_234] = [51_234, 30];
    const places = corners(plot(line(...points)))[0]!.flat();
    expect(places.length).toBeLessThan(4 * 960);
    const top = Math.min(...places.map(([, y]) => y!));
    expect(places.filter(([, y]) => y === top)).toHaveLength(1);
  });

  test('text is drawn as outlines without a font, and unknown characters stay in the title element', () => {
    const svg = plotSvg({ ...labels, title: 'Zellgröße <µm²> & 細胞', series: [] });
    expect(svg).not.toContain('<text');
    expect(svg).toContain('<title>Zellgröße &lt;µm²> &amp; 細胞</title>');
    expect(svgTextWidth('é', 10)).toBe(svgTextWidth('e', 10));
    expect(svgTextWidth('細', 10)).toBe(svgTextWidth('?', 10));
  });

  test('a band covers low to high, without values that are not finite', () => {
    const band: [number, number, number][] = [
      [0, 1, 3],
      [1, Number.NaN, 2],
      [2, 0, 4],
    ];
    const svg = plotSvg({
      ...labels,
      series: [
        {
          name: 'a',
          points: [
            [0, 2],
            [2, 2],
          ],
          band,
        },
      ],
    });
    const [, path] = /<path d="M([^"]+)Z" fill="#\w+" fill-opacity/.exec(svg)!;
    const places = path!.split('L').map((corner) => corner.split(' ').map(Number));
    expect(places).toHaveLength(4);
    const [a, b, c, d] = places.map(([, y]) => y!) as [number, number, number, number];
    expect((b - c) / (a - d)).toBeCloseTo(2, 1);
  });

  test('refuses invalid options by name', () => {
    const refused = (options: object, option: string) =>
      expect(() => plotSvg({ ...labels, series: [], ...options } as PlotOptions)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT', details: expect.objectContaining({ option }) }),
      );
    refused({ title: '' }, 'title');
    refused({ width: Number.NaN }, 'width');
    refused({ yScale: 'logarithmic' }, 'yScale');
    refused({ series: {} }, 'series');
    refused({ series: [{ name: 'a', points: [[1]] }] }, 'series[0].points[0]');
    refused({ series: [{ name: 'a', points: [], dash: true }] }, 'series[0].dash');
    refused({ yRange: [0] }, 'yRange');
    refused({ series: [{ name: 'a', points: [], band: [[0, 1]] }] }, 'series[0].band');
  });
});

describe('a histogram', () => {
  const area = { title: 'Areas', xLabel: 'area (pixels)', yLabel: 'cells' };

  test('has a column per non-empty bin, with the count as height', () => {
    const svg = histogramSvg({
      ...area,
      bins: 4,
      groups: [{ name: 'a', values: [0, 0, 1, 4, 4, 4, 4, Number.NaN] }],
    });
    const [, path] = /<path d="([^"]+)" fill="#\w+" fill-opacity/.exec(svg)!;
    const columns = [...path!.matchAll(/V([\d.]+)H/g)].map(([, y]) => Number(y));
    const bottom = Number(/^M[\d.]+ ([\d.]+)V/.exec(path!)![1]);
    expect(columns).toHaveLength(3);
    const heights = columns.map((y) => bottom - y);
    expect(heights[2]! / heights[0]!).toBeCloseTo(2, 1);
    expect(heights[2]! / heights[1]!).toBeCloseTo(4, 1);
  });

  test('of whole numbers has a column per number, and no fractions at its axes', () => {
    const svg = histogramSvg({ ...area, whole: true, groups: [{ name: 'a', values: [3, 4, 4, 6] }] });
    const [, path] = /<path d="([^"]+)" fill="#\w+" fill-opacity/.exec(svg)!;
    // 3, 4 and 6; there is no 5.
    expect(path!.split('Z').filter((rectangle) => rectangle !== '')).toHaveLength(3);
    const columns = [...path!.matchAll(/M([\d.]+) [\d.]+V([\d.]+)/g)].map(([, x, y]) => [
      Number(x),
      Number(y),
    ]);
    const [three, four, six] = columns as [number[], number[], number[]];
    expect(six[0]! - four[0]!).toBeCloseTo(2 * (four[0]! - three[0]!), 0);
    expect(three[1]).toBe(six[1]);
    expect(four[1]).toBeLessThan(three[1]!);
  });

  test('is drawn without values, and with one value only', async () => {
    for (const values of [[], [3], new Float32Array(2)]) {
      const whole = values.length === 1;
      const png = await renderHistogram({ ...area, whole, groups: [{ name: 'a', values }] });
      await expect(sharp(png).metadata()).resolves.toMatchObject({ format: 'png', width: 960 });
    }
  });

  test('refuses invalid options by name', () => {
    expect(() => histogramSvg({ ...area, groups: [{ name: 'a', values: 3 as never }] })).toThrow(
      /groups\[0\]\.values/,
    );
    expect(() => histogramSvg({ ...area, groups: [], bins: 0 })).toThrow(/bins/);
  });
});
