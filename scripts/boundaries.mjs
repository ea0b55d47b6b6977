// The house's walls, kept by grep: who may include what, and what may never be committed.
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
/** Operators: a header with a source file beside it. */
const operators = () =>
  native.flatMap((path) => {
    const [, name] = OPERATOR_HEADER.exec(path) ?? [];
    return name && native.includes(`native/ops/${name}.cc`) ? [name] : [];
  });
const TENSOR_FREE = /^native\/(mask|measure|metrics|data|io\/(image|intensity)\.)/;
/** Every file that belongs to the repository; in a copy without .git, every file outside the folders that are built. */
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
/** Folders that `import 'cellroute'` loads, and those behind cellroute/train, /metrics, /render and /report. */
const CORE = ['inference', 'image', 'mask', 'measure', 'config', 'weights', 'native', 'export'];
const BESIDE_CORE = [
  'annotations',
  'data',
  'transforms',
  'finetune',
  'metrics',
  'trainer',
  'tune',
  'render',
  'report',
  'jobs',
  'serve',
  'cli',
];
/** Types of configurations cross to native code. */
const BELOW = ['native', 'config'];

/** Each wall: its name, and the lines that break it. */
export const boundaries = [
  [
    'Node-API stays in native/addon and native/preload',
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
    'the preload stub reads one header of LibTorch and links none',
    () => matches(inside('preload'), /#include\s*[<"](ATen|c10|torch\/(?!headeronly\/version\.h))/),
  ],
  [
    'CUDA stays in native/engine/cuda and native/ops/cuda',
    () => matches(outside('engine/cuda', 'ops/cuda'), /#include\s*[<"](cuda|c10\/cuda|ATen\/cuda)/),
  ],
  [
    'operators are not registered with the dispatcher: two copies of the addon would end the process',
    () => matches(native, /\bTORCH_LIBRARY/),
  ],
  [
    "loops are spread by native/engine/parallel.h: LibTorch's header is one thread without OpenMP in our compilation",
    () =>
      matches(
        native.filter((path) => !path.startsWith('native/engine/parallel.')),
        /\bat::parallel_(for|reduce)\b/,
      ),
  ],
  [
    `includes in native/ go down: ${NATIVE_LAYERS.toReversed().join(', ')}`,
    () =>
      NATIVE_LAYERS.flatMap((folder, i) => {
        const above = NATIVE_LAYERS.slice(i + 1);
        if (above.length === 0) return [];
        return matches(inside(folder), new RegExp(`#include\\s*"(${above.join('|')})/`));
      }),
  ],
  [
    'the headers of operators include no kernels, and kernels no operators',
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
    "no header of all of LibTorch: its parsing takes seconds of every file's compilation",
    () => matches(native, /#include\s*[<"](torch\/(torch|all|nn|optim)|ATen\/(ATen|Functions))\.h/),
  ],
  [
    "engine, kernels and operators are compiled without LibTorch's types.h and modules",
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
  ['no cast around the contract', () => matches(sdk(), /as unknown as|\bas any\b|: any[;,)\]>=]/)],
  [
    "no machine's own paths are committed",
    () =>
      matches(
        tracked().filter((path) => path !== 'scripts/boundaries.mjs'),
        /(^|[\s"'`(=:])\/(work|root|home\/\w+|opt\/ref)\//,
      ),
  ],
  [
    'no file of lib/ imports itself through others',
    () => importCycles(sdkImports()).map((files) => files.join(' <-> ')),
  ],
  [
    'the inference core imports no data sets, metrics, training or drawing',
    // The table of formats loads drawing code when a drawing is asked for.
    () =>
      importsBetween(sdkImports(), CORE, BESIDE_CORE).filter(
        (line) => !line.startsWith('lib/export/formats.ts -> lib/render/'),
      ),
  ],
  ['jobs know no HTTP', () => importsBetween(sdkImports(), ['jobs'], ['serve', 'cli'])],
  [
    'lib/native imports nothing above it',
    () =>
      importsBetween(
        sdkImports(),
        ['native'],
        [...CORE.filter((folder) => !BELOW.includes(folder)), ...BESIDE_CORE],
      ),
  ],
  ['nothing is globbed into the build', () => matches(['CMakeLists.txt'], /file\s*\(\s*GLOB/i)],
];
