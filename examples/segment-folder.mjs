// Segments every image of a folder and writes one JSON file per image.
//
//   node segment-folder.mjs IMAGES OUT [ENSEMBLE]
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { extname, join, parse } from 'node:path';
import { CellrouteError, RoutedEnsemble, resultJson } from 'cellroute';

const [images, out, folder] = process.argv.slice(2);
if (!images || !out) throw new Error('usage: node segment-folder.mjs IMAGES OUT [ENSEMBLE]');

const names = (await readdir(images)).filter((name) => /^\.(png|jpe?g|tiff?|webp)$/i.test(extname(name)));
await mkdir(out, { recursive: true });
const ensemble = folder ? await RoutedEnsemble.load(folder) : await RoutedEnsemble.load();
try {
  // Two workers share one iterator: an image is decoded while the previous one is segmented.
  const remaining = names.values();
  const work = async () => {
    for (const name of remaining) {
      try {
        const result = await ensemble.segment(await readFile(join(images, name)));
        await writeFile(join(out, `${parse(name).name}.json`), resultJson(result));
        console.log(`${name}: ${result.cellType}, ${result.cells.length} cells`);
      } catch (error) {
        // A damaged image must not stop the others. Anything else is a bug.
        if (!(error instanceof CellrouteError)) throw error;
        console.error(`${name}: ${error.message} [${error.code}]`);
        process.exitCode = 1;
      }
    }
  };
  await Promise.all([work(), work()]);
} finally {
  await ensemble.dispose();
}
