// Writes the outlines of all cells in a custom format: an SVG drawing with a path and a tooltip per cell. For QuPath,
// ImageJ and other programs there are writers already; see open-in-programs.mjs.
//
//   node custom-export.mjs IMAGE OUT
import { writeFile } from 'node:fs/promises';
import { RoutedEnsemble } from 'cellroute';

const [path, out] = process.argv.slice(2);
if (!path || !out) throw new Error('usage: node custom-export.mjs IMAGE OUT');

const ensemble = await RoutedEnsemble.load();
try {
  const { cellType, cells, width, height } = await ensemble.segment(path, { removeOverlaps: true });
  const paths = cells.map((cell) => {
    // A mask of several parts has several polygons, each with an outer ring and its holes.
    const rings = cell.polygons().flat();
    const data = rings.map((ring) => `M${ring.map((corner) => corner.join(' ')).join('L')}Z`).join('');
    return `<path d="${data}"><title>${cellType}, ${cell.area} pixels</title></path>`;
  });
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" fill="#1457b8" fill-rule="evenodd">`,
    ...paths,
    '</svg>',
  ];
  await writeFile(out, `${lines.join('\n')}\n`);
  console.log(`${out}: ${cells.length} cells`);
} finally {
  await ensemble.dispose();
}
