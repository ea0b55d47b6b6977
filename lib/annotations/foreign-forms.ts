import { open, readdir } from 'node:fs/promises';

/** Patterns at the start of JSON files of other tools, and how to convert these files. */
const JSON_FORMS: readonly [pattern: RegExp, what: string][] = [
  [
    /"shapes"\s*:|"imagePath"\s*:/,
    "LabelMe's file of one image; convert the folder to COCO: pip install labelme2coco && labelme2coco FOLDER",
  ],
  [
    /"FeatureCollection"/,
    "GeoJSON, as QuPath writes it; export label images from QuPath instead (LabeledImageServer, 'instance labels')",
  ],
  [/"_via_|"all_points_x"|"shape_attributes"/, "the VGG Image Annotator's file; export it as COCO"],
  [
    /"annotations"\s*:\s*\[\s*\{[^}]*"result"\s*:|"completions"\s*:/,
    "Label Studio's JSON; export it as COCO",
  ],
  [
    /"cellroute-result"/,
    'a result of cellroute segment; for ground truth pass coco.json or kaggle.csv of its folder',
  ],
];

/** Describes a JSON file that is not COCO, for the end of an error; empty for an unknown format. */
export function foreignJson(start: string): string {
  const form = JSON_FORMS.find(([pattern]) => pattern.test(start));
  return form === undefined ? '' : `. It is ${form[1]}`;
}

const FOLDER_FORMS: readonly [pattern: RegExp, remedy: string][] = [
  [
    /_seg\.npy$/i,
    "Cellpose's results: write the masks as images beside them (cellpose --save_tif, or File, 'save masks as PNG/tif' in its window)",
  ],
  [
    /_(cp_)?masks?\.(png|tiff?)$/i,
    'masks: call them NAME_masks.png beside NAME.png, with a different number for each cell, or put them into labels/ and the images into images/',
  ],
  [
    /\.geojson$/i,
    "QuPath's GeoJSON: export label images from QuPath instead (LabeledImageServer, 'instance labels')",
  ],
  [/\.xml$/i, 'XML, as CVAT and Pascal VOC have it: export COCO 1.0 instead'],
  [
    /^(RoiSet.*|.*\.roi)(\.zip)?$/i,
    "ImageJ's ROIs: save a label image instead (LOCI plugin 'ROI Map', or ROIs to Label image)",
  ],
  [
    /^(Labels|LABELS|Masks|Images|IMAGES|ground_?truth|gt|annotations?|targets?)$/,
    'call the folders images and labels',
  ],
  [/\.npy$|\.npz$/i, 'NumPy arrays: save them as TIFF, for example with tifffile.imwrite'],
  [/\.csv$/i, 'a table: name it train.csv or pass its path'],
];

/** How to convert a folder to a data set, for the end of an error; empty for unknown content. */
export async function foreignFolder(path: string): Promise<string> {
  const names = await readdir(path).catch(() => []);
  for (const [pattern, remedy] of FOLDER_FORMS) {
    const found = names.find((name) => !name.startsWith('.') && pattern.test(name));
    if (found !== undefined) return `. It contains ${found}; ${remedy}`;
  }
  return '';
}

/** Describes label files that are not images, for the end of an error. */
export function foreignLabels(names: readonly string[]): string {
  if (names.some((name) => /\.txt$/i.test(name)))
    return ': .txt files are labels of YOLO; export COCO instead';
  if (names.some((name) => /\.np[yz]$/i.test(name))) {
    return ': NumPy arrays are not read; save them as TIFF, for example with tifffile.imwrite';
  }
  return '';
}

/** The start of a text file, which is sufficient to recognise the tool that wrote it. */
export async function startOfText(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (!file) return '';
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1 << 16), 0, 1 << 16, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
