// Segments a slide tile by tile and writes the cells of each finished row as lines of JSON, so that memory does not depend
// on the slide: node segment-slide.mjs SLIDE OUTPUT.jsonl
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { openSlide, RoutedEnsemble } from 'cellroute';

const [input = '', output = 'cells.jsonl'] = process.argv.slice(2);
const ensemble = await RoutedEnsemble.load();
const slide = await openSlide(input);
console.log(`${slide.width} x ${slide.height} pixels, ${slide.levels.length} levels`);

let count = 0;
async function* lines() {
  // Interrupted and started again, it continues from the tiles in this folder.
  const options = { skipBackground: true, resume: `${output}.tiles` };
  for await (const { row, rows, cells, tiles } of ensemble.segmentRows(slide, options)) {
    count += cells.length;
    console.log(
      `row ${row + 1} of ${rows}: ${cells.length} cells, ${tiles.skipped} of ${tiles.count} tiles skipped`,
    );
    for (const cell of cells) {
      yield `${JSON.stringify({ box: cell.box, score: cell.score, polygons: cell.polygons() })}\n`;
    }
  }
}

await pipeline(lines, createWriteStream(output));
console.log(`${count} cells`);
await slide.close();
await ensemble.dispose();
