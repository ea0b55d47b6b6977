// Compares cellroute with torchvision: runs the scripts that `cellroute export-python` writes, and runs the pages about Python,
// which write checkpoints with torchvision, fastai and Lightning.
//   node scripts/python.mjs [--cpu-builds]
// Uses the Python of CELLROUTE_REFERENCE_PYTHON. Otherwise it makes an environment, with torch's CPU builds where an index has
// them. With --cpu-builds, nothing else is downloaded: PyPI's builds for Linux bring CUDA, 5 GB once unpacked.
import { runJest } from './jest.mjs';
import { finish } from './report.mjs';
import { ensureBuilt } from './run.mjs';
import { virtualEnvironment } from './venv.mjs';

const TORCH = { torch: '2.13.0', torchvision: '0.28.0' };
const CPU_BUILDS = Object.entries(TORCH).map(([name, version]) => `${name}==${version}+cpu`);
const PYPI_BUILDS = Object.entries(TORCH).map(([name, version]) => `${name}==${version}`);
const CPU_INDEX = 'https://download.pytorch.org/whl/cpu';
const OTHERS = [
  'safetensors==0.8.0',
  'tifffile==2026.3.3',
  'imagecodecs==2026.3.6',
  'pillow==13.0.0',
  'pycocotools==2.0.11',
  'fastai==2.8.12',
  'lightning==2.6.6',
];

function reference() {
  const { CELLROUTE_REFERENCE_PYTHON: given } = process.env;
  if (given) return given;
  const make = (torch) => virtualEnvironment('python', [torch, OTHERS], 'torch and torchvision');
  const found = make([...CPU_BUILDS, '--extra-index-url', CPU_INDEX]);
  return found ?? (process.argv.includes('--cpu-builds') ? undefined : make(PYPI_BUILDS));
}

ensureBuilt();
const program = reference();
const { counts } = runJest(['test/python'], { env: program ? { CELLROUTE_REFERENCE_PYTHON: program } : {} });
finish(counts);
