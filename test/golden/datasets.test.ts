import { readFileSync } from 'node:fs';
import { openDataset } from '../../lib/data/open.js';
import { dataPath, describeGolden } from '../support/golden.js';

/** Rows of a table without quotes, as objects. */
function table(name: string): Record<string, string>[] {
  const [header, ...rows] = readFileSync(dataPath(name), 'utf8').trimEnd().split('\n');
  const columns = header!.split(',');
  return rows.map((row) => {
    const fields = row.split(',');
    return Object.fromEntries(columns.map((column, i) => [column, fields[i]!]));
  });
}

describeGolden('nuclei, compared with their index', { images: ['nuclei/index.csv'] }, () => {
  test('images, sizes, cells and modalities', async () => {
    const dataset = await openDataset(dataPath('nuclei'), { cellTypeColumn: 'modality', strict: true });
    const index = table('nuclei/index.csv').sort((a, b) => (a.id! < b.id! ? -1 : 1));
    expect(
      dataset.items.map(({ id, cellType: type, width, height, cells }) => [id, type, width, height, cells]),
    ).toEqual(
      index.map(({ id, modality, width, height, instances }) => [
        id,
        modality,
        ...[width, height, instances].map(Number),
      ]),
    );
    const { validation } = dataset.split({ column: 'split', values: ['val'] });
    expect(validation.items.length).toBe(index.filter(({ split }) => split === 'val').length);
    const densest = Math.max(...index.map(({ instances }) => Number(instances)));
    expect(dataset.summary().densest?.cells).toBe(densest);
    expect(dataset.summary({ detectionsPerImage: densest - 1 }).warnings).toHaveLength(1);
  });
});

describeGolden('the competition, compared with its table', { images: ['sartorius/train.csv'] }, () => {
  test('images, cells and types', async () => {
    const rows = table('sartorius/train.csv');
    const dataset = await openDataset(dataPath('sartorius'), { strict: true });
    const counts = new Map<string, number>();
    for (const { id } of rows) counts.set(id!, (counts.get(id!) ?? 0) + 1);
    expect(new Map(dataset.items.map(({ id, cells }) => [id, cells]))).toEqual(counts);
    expect(dataset.cellTypes).toEqual([...new Set(rows.map((row) => row.cell_type!))].sort());
    expect(dataset.summary().densest?.cells).toBe(Math.max(...counts.values()));
    const [item] = dataset.items;
    const annotations = rows.filter(({ id }) => id === item!.id).map(({ annotation }) => annotation);
    expect((await item!.load()).masks.toKaggle()).toEqual(annotations);
  });
});

describeGolden('images of cells at 16 bits', { images: ['t98g/index.csv'] }, () => {
  test('opens without changes, with nuclei beside it', async () => {
    const index = table('t98g/index.csv');
    const dataset = await openDataset(dataPath('t98g'), { cellTypeColumn: 'modality', strict: true });
    expect(dataset.items.map(({ id }) => id)).toEqual(index.map(({ id }) => id).sort());
  });
});
