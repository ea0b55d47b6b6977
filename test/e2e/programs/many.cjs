// Makes 70 calls with one signal: Node allows ten listeners on it without a warning.
const { createReadStream, readFileSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const sharp = require('sharp');

const [cellroute, image] = process.argv.slice(2);
const { decodeImage, RoutedEnsemble } = require(cellroute);
const model = join(__dirname, '../../ensemble');

const bytes = readFileSync(image);
/** The same image in every form that a call takes. */
const forms = [
  () => bytes,
  () => image,
  () => pathToFileURL(image),
  () => new Blob([bytes]),
  () => createReadStream(image),
  () => new Blob([bytes]).stream(),
  () => sharp(bytes),
];

RoutedEnsemble.load(model).then(async (ensemble) => {
  const { signal } = new AbortController();
  const each = (count, call) => Array.from({ length: count }, (_, i) => call(forms[i % forms.length]()));
  const [segmented, classified, decoded] = await Promise.all([
    Promise.all(each(14, (input) => ensemble.segment(input, { signal }))),
    Promise.all(each(28, (input) => ensemble.classifier.classify(input, { signal }))),
    Promise.all(each(28, (input) => decodeImage(input, { signal }))),
  ]);
  console.log(
    JSON.stringify({
      calls: segmented.length + classified.length + decoded.length,
      cells: segmented.map(({ cells }) => cells.length),
      types: classified.map(({ cellType }) => cellType),
      sizes: decoded.map(({ data }) => data.length),
    }),
  );
});
