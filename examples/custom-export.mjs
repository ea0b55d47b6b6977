// Writes the outlines of all cells as GeoJSON, which QuPath and other programs read.
//
//   node custom-export.mjs IMAGE OUT
import { readFile, writeFile } from 'node:fs/promises';
import { RoutedEnsemble } from 'cellroute';

const [path, out] = process.argv.slice(2);
if (!path || !out) throw new Error('usage: node custom-export.mjs IMAGE OUT');

const ensemble = await RoutedEnsemble.load();
try {
  const { cellType, cells } = await ensemble.segment(await readFile(path), { removeOverlaps: true });
  const features = cells.map((cell) => ({
    type: 'Feature',
    id: cell.index,
    // A mask of several parts becomes several polygons. Rings are closed, as GeoJSON requires.
    geometry: { type: 'MultiPolygon', coordinates: cell.polygons() },
    properties: {
      objectType: 'cell',
      classification: { name: cellType },
      measurements: { score: cell.score, area: cell.area },
    },
  }));
  await writeFile(out, JSON.stringify({ type: 'FeatureCollection', features }));
  console.log(`${out}: ${features.length} cells`);
} finally {
  await ensemble.dispose();
}
