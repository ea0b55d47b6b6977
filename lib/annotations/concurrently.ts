/** Results in order, of at most `limit` tasks at a time. The first failure ends it, after the started tasks finish. */
export async function concurrently<T, R>(
  values: readonly T[],
  limit: number,
  work: (value: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(values.length);
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < values.length && !failed) {
      const index = next++;
      try {
        results[index] = await work(values[index]!, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const done = await Promise.allSettled(Array.from({ length: Math.min(limit, values.length) }, worker));
  for (const one of done) if (one.status === 'rejected') throw one.reason;
  return results;
}
