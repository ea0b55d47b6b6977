// Does not call dispose: the process must still end.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const [cellroute, image] = process.argv.slice(2);
const { RoutedEnsemble } = require(cellroute);
const model = join(__dirname, '../../ensemble');

RoutedEnsemble.load(model)
  .then((ensemble) => ensemble.segment(readFileSync(image)))
  .then(({ cells }) => console.log(cells.length));
