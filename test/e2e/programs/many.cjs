// Makes more calls with one signal than Node allows listeners on it without a warning.
const { readFileSync } = require('node:fs');

const [cellroute, image] = process.argv.slice(2);
const { RoutedEnsemble } = require(cellroute);

RoutedEnsemble.load().then(async (ensemble) => {
  const bytes = readFileSync(image);
  const { signal } = new AbortController();
  const results = await Promise.all(Array.from({ length: 12 }, () => ensemble.segment(bytes, { signal })));
  console.log(JSON.stringify(results.map(({ cells }) => cells.length)));
});
