// Rules between folders, checked by text search: who may include what, and what may never be committed.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { importCycles, importGraph, importsBetween } from './imports.mjs';
import { nativeFiles } from './native-files.mjs';
import { root, run } from './run.mjs';

const read = (path) => readFileSync(join(root, path), 'utf8');

/** Lines of these files that match, as "path:line: text". */
function matches(paths, pattern) {
  return paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
  );
}

const native = nativeFiles();
const inside = (...folders) =>
  native.filter((path) => folders.some((folder) => path.startsWith(`native/${folder}/`)));
const outside = (...folders) =>
  native.filter((path) => !folders.some((folder) => path.startsWith(`native/${folder}/`)));
/** The folders of native/ from the lowest up; none includes one after it. */
const NATIVE_LAYERS = [
  'engine',
  'mask',
  'io',
  'data',
  'measure',
  'metrics',
  'ops',
  'model',
  'infer',
  'train',
  'addon',
];
const OPERATOR_HEADER = /^native\/ops\/(\w+)\.h$/;
/** Operators: headers with a source file of the same name. */
const operators = () =>
  native.flatMap((path) => {
    const [, name] = OPERATOR_HEADER.exec(path) ?? [];
    return name && native.includes(`native/ops/${name}.cc`) ? [name] : [];
  });
const TENSOR_FREE = /^native\/(mask|measure|metrics|data|io\/(image|intensity)\.)/;
/** All files of the repository. In a copy without .git: all files outside the folders of build output. */
function repositoryFiles() {
  const { status, stdout } = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    capture: true,
  });
  // A deleted file is listed until the deletion is committed.
  if (status === 0) return stdout.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
  const ignored = readFileSync(join(root, '.gitignore'), 'utf8')
    .split('\n')
    .flatMap((line) => /^([\w.-]+)\//.exec(line)?.[1] ?? []);
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((path) => !ignored.includes(path.split('/')[0]));
}

const tracked = () =>
  repositoryFiles()
    .filter((path) =>
      /\.(ts|mts|mjs|cjs|js|json|md|txt|yml|yaml|gyp|cc|h|c|cu|py|sh|cmake|html)$|(^|\/)(CMakeLists\.txt|\.ci\/run)$/.test(
        path,
      ),
    )
    .filter((path) => path !== 'package-lock.json');

const sdk = () => tracked().filter((path) => path.startsWith('lib/'));

const sdkImports = () => importGraph(sdk().filter((path) => path.endsWith('.ts')));
/** Folders that `import 'cellroute'` loads, and folders behind cellroute/train, /metrics, /render and /report. */
const CORE = ['inference', 'image', 'mask', 'measure', 'config', 'weights', 'native', 'export'];
const BESIDE_CORE = [
  'annotations',
  'data',
  'transforms',
  'ensembles',
  'finetune',
  'metrics',
  'trainer',
  'tune',
  'render',
  'page',
  'report',
  'review',
  'jobs',
  'serve',
  'queue',
  'cli',
];
/** Folders that lib/native may import: types of configurations are part of the contract. */
const BELOW = ['native', 'config'];

const OPTION_TYPE = /^(?:export )?interface \w*(?:Options|Flags?|Limits|Rule|Filter|TileSize)\b/;

/** Callers pass optional values on: with exactOptionalPropertyTypes, an option without undefined needs a spread for each. */
function optionsWithoutUndefined() {
  return sdk()
    .filter((path) => path.endsWith('.ts') && path !== 'lib/native/contract.ts')
    .flatMap((path) => {
      let isInside = false;
      return read(path)
        .split('\n')
        .flatMap((line, i) => {
          if (OPTION_TYPE.test(line)) isInside = true;
          if (line === '}') isInside = false;
          const isMissing =
            isInside && /^ {2}(readonly )?\w+\?: .*;$/.test(line) && !line.includes('| undefined');
          return isMissing ? [`${path}:${i + 1}: ${line.trim()}`] : [];
        });
    });
}

/** Rules: a name, and a function that returns the lines that break the rule. */
export const boundaries = [
  [
    'Node-API is used only in native/addon and native/preload',
    () => matches(outside('addon', 'preload'), /#include\s*[<"](napi|node_api)/),
  ],
  [
    'masks, measurements, metrics, samples and the pixels these are made of know no tensors',
    () =>
      matches(
        native.filter((path) => TENSOR_FREE.test(path)),
        /#include\s*[<"](torch|ATen|c10)\//,
      ),
  ],
  [
    'the preload stub includes one header of LibTorch and links no library of it',
    () => matches(inside('preload'), /#include\s*[<"](ATen|c10|torch\/(?!headeronly\/version\.h))/),
  ],
  [
    'CUDA is used only in native/engine/cuda and native/ops/cuda',
    () => matches(outside('engine/cuda', 'ops/cuda'), /#include\s*[<"](cuda|c10\/cuda|ATen\/cuda)/),
  ],
  [
    'operators are not registered with the dispatcher, because two copies of the addon would end the process',
    () => matches(native, /\bTORCH_LIBRARY/),
  ],
  [
    "loops use native/engine/parallel.h, because LibTorch's header is sequential without OpenMP in our compilation",
    () =>
      matches(
        native.filter((path) => !path.startsWith('native/engine/parallel.')),
        /\bat::parallel_(for|reduce)\b/,
      ),
  ],
  [
    `includes in native/ go from higher to lower folders: ${NATIVE_LAYERS.toReversed().join(', ')}`,
    () =>
      NATIVE_LAYERS.flatMap((folder, i) => {
        const above = NATIVE_LAYERS.slice(i + 1);
        if (above.length === 0) return [];
        return matches(inside(folder), new RegExp(`#include\\s*"(${above.join('|')})/`));
      }),
  ],
  [
    'headers of operators include no kernels, and kernels include no operators',
    () => [
      ...matches(
        native.filter((path) => OPERATOR_HEADER.test(path)),
        /#include\s*"ops\/(cpu|cuda)\//,
      ),
      ...matches(
        inside('ops/cpu', 'ops/cuda'),
        new RegExp(`#include\\s*"ops/(${operators().join('|')})\\.h"`),
      ),
    ],
  ],
  [
    'no header that includes all of LibTorch, because parsing it takes seconds per file',
    () => matches(native, /#include\s*[<"](torch\/(torch|all|nn|optim)|ATen\/(ATen|Functions))\.h/),
  ],
  [
    "engine, kernels and operators do not include LibTorch's types.h and modules",
    () =>
      matches(
        inside('engine', 'ops'),
        /#include\s*([<"]nn\.h|<torch\/(?!csrc\/autograd\/custom_function\.h|custom_class\.h|version\.h))/,
      ),
  ],
  [
    'only lib/native loads a .node file',
    () =>
      matches(
        sdk().filter((path) => !path.startsWith('lib/native/')),
        /\.node['"`]|process\.dlopen/,
      ),
  ],
  ['no type cast around the contract', () => matches(sdk(), /as unknown as|\bas any\b|: any[;,)\]>=]/)],
  [
    'no path of a particular machine is committed',
    () =>
      matches(
        tracked().filter((path) => path !== 'scripts/boundaries.mjs'),
        /(^|[\s"'`(=:])\/(work|root|home\/\w+|opt\/ref)\//,
      ),
  ],
  ['lib/ has no import cycles', () => importCycles(sdkImports()).map((files) => files.join(' <-> '))],
  ['optional properties of option types accept undefined', optionsWithoutUndefined],
  [
    'the inference core imports no data sets, metrics, training or drawing',
    // The table of formats loads drawing code when a drawing is written.
    () =>
      importsBetween(sdkImports(), CORE, BESIDE_CORE).filter(
        (line) => !line.startsWith('lib/export/formats.ts -> lib/render/'),
      ),
  ],
  ['jobs know no HTTP', () => importsBetween(sdkImports(), ['jobs'], ['serve', 'queue', 'cli'])],
  [
    'lib/native imports nothing above it',
    () =>
      importsBetween(
        sdkImports(),
        ['native'],
        [...CORE.filter((folder) => !BELOW.includes(folder)), ...BESIDE_CORE],
      ),
  ],
  ['CMakeLists.txt lists its files without GLOB', () => matches(['CMakeLists.txt'], /file\s*\(\s*GLOB/i)],
];
