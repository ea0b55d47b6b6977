/**
 * About `count` ticks within a range, at multiples of 1, 2 or 5 times a power of ten. With `whole`, ticks are integers,
 * for example for numbers of cells.
 */
export function linearTicks(low: number, high: number, count: number, whole = false): number[] {
  const rough = Math.max((high - low) / count, whole ? 1 : 0);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough * 0.999)!;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  // Multiplied, not summed, and rounded to the step's digits: 0.3, not 0.30000000000000004.
  const digits = Math.min(100, Math.max(0, -Math.floor(Math.log10(step))));
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toFixed(digits)));
}

/** Powers of ten within a range: every n-th if there are more than `count`, also 2 and 5 times them if few. */
export function logTicks(low: number, high: number, count: number): number[] {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const powers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const every = Math.ceil(powers.length / count);
  const factors = powers.length <= 4 ? [1, 2, 5] : [1];
  return powers
    .filter((power) => (power - from) % every === 0)
    .flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)))
    .filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
}

/** Short label of a tick: 0.001, 25,000, 2.5M, 1e-7. */
export function tickText(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return '0';
  if (size < 1e-4 || size >= 1e12) return value.toExponential().replace('e+', 'e').replace('-', '−');
  const [divisor, unit] = size >= 1e9 ? [1e9, 'G'] : size >= 1e6 ? [1e6, 'M'] : [1, ''];
  const text = (size / divisor).toLocaleString('en', { maximumFractionDigits: 10 });
  return `${value < 0 ? '−' : ''}${text}${unit}`;
}
