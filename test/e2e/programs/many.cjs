// Asks for more images at once than Node likes listeners on one signal.
const { readFileSync } = require('node:fs');

const [cellroute, image] = process.argv.slice(2);
const { RoutedEnsemble } = require(cellroute);

RoutedEnsemble.load().then(async (ensemble) => {
  const bytes = readFileSync(image);
  const results = await Promise.all(Array.from({ length: 12 }, () => ensemble.segment(bytes)));
  console.log(JSON.stringify(results.map(({ cells }) => cells.length)));
});
