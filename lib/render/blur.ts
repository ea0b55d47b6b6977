/**
 * Gaussian blur with `sigma` pixels, approximated within a few percent by three box filters per direction (Wells 1986).
 * At the edges the mean is over the existing pixels, so a constant image stays constant.
 */
export function blurred(values: Float32Array, width: number, height: number, sigma: number): Float32Array {
  const radius = Math.round(Math.sqrt(sigma * sigma + 0.25) - 0.5);
  if (radius < 1) return values;
  let result = values;
  for (let time = 0; time < 3; time++) {
    result = means(result, width, height, 1, width, radius);
    result = means(result, height, width, width, 1, radius);
  }
  return result;
}

/** Mean of each value and its `radius` neighbours on both sides, along `count` lines of `length` values. */
function means(
  values: Float32Array,
  length: number,
  count: number,
  step: number,
  lineStep: number,
  radius: number,
): Float32Array {
  const result = new Float32Array(values.length);
  for (let line = 0; line < count; line++) {
    const start = line * lineStep;
    let sum = 0;
    let inside = 0;
    for (let i = -radius; i < length; i++) {
      if (i + radius < length) {
        sum += values[start + (i + radius) * step]!;
        inside++;
      }
      if (i - radius - 1 >= 0) {
        sum -= values[start + (i - radius - 1) * step]!;
        inside--;
      }
      if (i >= 0) result[start + i * step] = sum / inside;
    }
  }
  return result;
}
