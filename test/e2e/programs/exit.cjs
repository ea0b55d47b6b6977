// Ends while a job runs: by process.exit, or by an uncaught exception.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const [cellroute, image, how] = process.argv.slice(2);
const { RoutedEnsemble } = require(cellroute);
const model = join(__dirname, '../../ensemble');

RoutedEnsemble.load(model).then((ensemble) => {
  ensemble.segment(readFileSync(image)).catch(() => {});
  setTimeout(() => {
    if (how === 'exit') process.exit(7);
    throw new Error('nobody catches this');
  }, 60);
});
