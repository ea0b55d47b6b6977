// Forgets to dispose: the process ends by itself all the same.
const { readFileSync } = require('node:fs');

const [cellroute, picture] = process.argv.slice(2);
const { RoutedEnsemble } = require(cellroute);

RoutedEnsemble.load()
  .then((ensemble) => ensemble.segment(readFileSync(picture)))
  .then(({ cells }) => console.log(cells.length));
