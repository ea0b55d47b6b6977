import { SingleBar } from 'cli-progress';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { refuse } from '../check.js';
import type { DatasetItem } from '../data/types.js';
import { createEnsemble, type NewType } from '../ensembles/create.js';
import { describeEnsemble } from '../ensembles/describe.js';
import { addToEnsemble, removeFromEnsemble, renameInEnsemble } from '../ensembles/edit.js';
import type { ImageInput } from '../image/types.js';
import { columns } from './columns.js';
import { addDatasetOptions, type DatasetFlags, datasetForms, openWithFlags } from './dataset-options.js';
import { findImages } from './images.js';
import { type ForceFlag, withForce } from './options.js';
import { type ReadFlags, readOptionsOf, withReadOptions } from './read-options.js';
import { thresholdsPhrase } from './thresholds.js';

interface WriteFlags extends ForceFlag {
  model?: string | undefined;
  out?: string | undefined;
}

/** Adds `cellroute ensemble …`. */
export function registerEnsemble(program: Command): void {
  const ensemble = program.command('ensemble').description('Build and change ensembles of segmenters');
  registerCreate(ensemble);
  registerAdd(ensemble);
  withWriting(
    ensemble
      .command('remove')
      .description('Remove a cell type from an ensemble')
      .argument('<type>', 'name of the type'),
  ).action(async (type: string, flags: WriteFlags) => {
    await removeFromEnsemble(flags.model, { type, out: flags.out, force: flags.force });
    await print(flags.out ?? flags.model);
  });
  withWriting(
    ensemble
      .command('rename')
      .description('Rename a cell type of an ensemble; nothing else changes')
      .argument('<from>', 'name of the type')
      .argument('<to>', 'new name'),
  ).action(async (from: string, to: string, flags: WriteFlags) => {
    await renameInEnsemble(flags.model, { from, to, out: flags.out, force: flags.force });
    await print(flags.out ?? flags.model);
  });
  ensemble
    .command('list')
    .description('List the cell types of an ensemble, their segmenters and thresholds')
    .addOption(ensembleOption())
    .option('--json', 'print JSON')
    .action(async ({ model, json }: { model?: string; json?: boolean }) => print(model, json));
}

const ensembleOption = () =>
  new Option(
    '-m, --model <path>',
    'ensemble folder, or folder of a train ensemble or finetune run (default: the starter ensemble)',
  );

/** Adds the options of every command that changes an ensemble. */
const withWriting = (command: Command): Command =>
  withForce(
    command
      .addOption(ensembleOption())
      .option('-o, --out <folder>', 'folder of the changed ensemble (default: that of --model)'),
  );

/** Parser of a repeatable `TYPE=PATH`. */
function typeIs(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('Expected TYPE=PATH.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

interface CreateFlags extends DatasetFlags, ForceFlag {
  out: string;
  type: Record<string, string>;
  data?: string | undefined;
  router?: string | undefined;
  fallback?: string | undefined;
}

/** The word for a type without a segmenter. */
const NONE = 'none';

function registerCreate(ensemble: Command): void {
  const command = ensemble
    .command('create')
    .description('Make an ensemble of segmenters, and its router from images of each type')
    .requiredOption('-o, --out <folder>', 'folder of the ensemble; it is created')
    .requiredOption(
      '--type <type=path>',
      `a cell type and its segmenter: a file, a run folder, an ensemble with one segmenter, or ${NONE}; repeatable`,
      typeIs,
    )
    .option(
      '-d, --data <path>',
      `images of each type, for example a folder of images per type: ${datasetForms}`,
    )
    .option(
      '--router <path>',
      "classifier, run folder or ensemble: with --data, whose network the router has (default: the starter's); without, the router itself",
    )
    .option('--fallback <type>', 'type whose segmenter is used for types without one');
  withForce(addDatasetOptions(command))
    .addHelpText(
      'after',
      `
Example:
  cellroute ensemble create --type astro=runs/astro --type cort=cort.safetensors --data images-by-type --out neurons`,
    )
    .action(create);
}

async function create(flags: CreateFlags): Promise<void> {
  const { out, type: paths, data, router, fallback, force } = flags;
  const types: Record<string, NewType> = Object.fromEntries(
    Object.entries(paths).map(([type, path]) => [type, { segmenter: path === NONE ? null : path }]),
  );
  if (data === undefined) {
    await createEnsemble(out, { types, router, fallback, force });
    return print(out);
  }
  const items = (await openWithFlags(data, flags)).filter({
    where: ({ cellType }) => cellType !== undefined,
  }).items;
  const unknown = items.find(({ cellType }) => !Object.hasOwn(types, cellType!));
  if (unknown) throw refuse('--data', `images of ${Object.keys(types).join(', ')} alone`, unknown.cellType);
  await withBar(items.length, (counted) => {
    for (const [type, own] of Object.entries(types)) {
      const ofType = items.filter(({ cellType }) => cellType === type);
      if (ofType.length > 0) own.images = counted(imagesOf(ofType));
    }
    return createEnsemble(out, { types, router, fallback, force });
  });
  await print(out);
}

async function* imagesOf(items: readonly DatasetItem[]): AsyncGenerator<ImageInput> {
  for (const item of items) yield (await item.load()).image;
}

interface AddFlags extends WriteFlags, ReadFlags {
  segmenter: string;
  images?: string[] | undefined;
}

function registerAdd(ensemble: Command): void {
  const command = ensemble
    .command('add')
    .description('Add a cell type to an ensemble, without images of the types that it has')
    .argument('<type>', 'name of the new type')
    .requiredOption(
      '--segmenter <path>',
      `its segmenter: a file, a run folder, an ensemble with one segmenter, or ${NONE}`,
    )
    .option(
      '--images <paths...>',
      'image files of the type, or folders of them, for the router (default: what finetune stored with the segmenter)',
    );
  withReadOptions(withWriting(command))
    .addHelpText(
      'after',
      `
Example:
  cellroute ensemble add neurons --segmenter my-model --images my-images --out my-ensemble`,
    )
    .action(add);
}

async function add(type: string, flags: AddFlags): Promise<void> {
  const { segmenter, model, out, force } = flags;
  const options = { type, segmenter: segmenter === NONE ? null : segmenter, out, force };
  if (flags.images === undefined) {
    await addToEnsemble(model, options);
  } else {
    const paths = (await findImages(flags.images)).map(({ path }) => path);
    await withBar(paths.length, (counted) =>
      addToEnsemble(model, { ...options, images: counted(paths), ...readOptionsOf(flags) }),
    );
  }
  await print(out ?? model);
}

/** Runs `work` with a progress bar that counts the images that are taken from what `counted` returns. */
async function withBar(
  total: number,
  work: (
    counted: (images: Iterable<ImageInput> | AsyncIterable<ImageInput>) => AsyncIterable<ImageInput>,
  ) => Promise<void>,
): Promise<void> {
  const bar = new SingleBar({
    format: '{bar} {value}/{total} images',
    hideCursor: true,
    stream: process.stderr,
  });
  bar.start(total, 0);
  await work(async function* (images) {
    for await (const image of images) {
      yield image;
      bar.increment();
    }
  }).finally(() => bar.stop());
}

async function print(model: string | undefined, json = false): Promise<void> {
  const described = await describeEnsemble(model);
  if (json) {
    console.log(JSON.stringify(described, null, 2));
    return;
  }
  const { folder, types, fallback, hasStatistics } = described;
  const rows = types.map(({ type, segmenter, thresholds, images }) => [
    type,
    segmenter ? `${(segmenter.bytes / 2 ** 20).toFixed(1)} MiB` : NONE,
    images === null ? '-' : String(images),
    thresholds ? thresholdsPhrase(thresholds) : '',
  ]);
  const lines = [
    `${folder}: ${types.length} ${types.length === 1 ? 'type' : 'types'}${fallback === null ? '' : `, fallback ${fallback}`}`,
    ...columns([['type', 'segmenter', 'router images', 'thresholds'], ...rows]),
  ];
  if (!hasStatistics) lines.push('It has no statistics of images: no type can be added.');
  console.log(lines.join('\n'));
}
