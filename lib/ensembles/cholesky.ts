/** The upper triangle of a symmetric matrix, row by row, as a full matrix. */
export function fullMatrix(upper: Float64Array, size: number): Float64Array {
  const full = new Float64Array(size * size);
  for (let row = 0, at = 0; row < size; row++) {
    for (let column = row; column < size; column++, at++) {
      full[row * size + column] = upper[at]!;
      full[column * size + row] = upper[at]!;
    }
  }
  return full;
}

/**
 * Cholesky's factor L of a symmetric positive definite matrix, A = L Lᵀ: the lower triangle of a full matrix.
 *
 * @throws {RangeError} for a matrix that is not positive definite.
 */
export function choleskyOf(matrix: Float64Array, size: number): Float64Array {
  const lower = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = matrix[row * size + column]!;
      for (let k = 0; k < column; k++) sum -= lower[row * size + k]! * lower[column * size + k]!;
      if (row > column) {
        lower[row * size + column] = sum / lower[column * size + column]!;
      } else {
        if (!(sum > 0)) throw new RangeError('the matrix is not positive definite');
        lower[row * size + row] = Math.sqrt(sum);
      }
    }
  }
  return lower;
}

/** Solves A x = b with the factor of A. */
export function solve(lower: Float64Array, b: Float64Array): Float64Array {
  const size = b.length;
  const x = Float64Array.from(b);
  for (let row = 0; row < size; row++) {
    for (let k = 0; k < row; k++) x[row]! -= lower[row * size + k]! * x[k]!;
    x[row]! /= lower[row * size + row]!;
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let k = row + 1; k < size; k++) x[row]! -= lower[k * size + row]! * x[k]!;
    x[row]! /= lower[row * size + row]!;
  }
  return x;
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
