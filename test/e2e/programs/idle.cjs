// Does not call dispose: the process must still end.
const { readFileSync } = require('node:fs');

const [cellroute, image] = process.argv.slice(2);
const { RoutedEnsemble } = require(cellroute);

RoutedEnsemble.load()
  .then((ensemble) => ensemble.segment(readFileSync(image)))
  .then(({ cells }) => console.log(cells.length));
