import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { root } from '../support/sdk.js';
import { type Snippet, snippetsOf } from '../support/snippets.js';
import { referencePython, testReference } from '../support/weights.js';

// The snippets of the pages about Python, in the order of the page, in a folder of each page.

jest.setTimeout(900_000);
const folder = mkdtempSync(join(tmpdir(), 'cellroute-python-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An application with the package, and the reference's Python as `python`. */
function application(name: string): string {
  const own = join(folder, name);
  for (const part of ['bin', 'node_modules']) mkdirSync(join(own, part), { recursive: true });
  symlinkSync(root, join(own, 'node_modules', 'cellroute'), 'junction');
  const main = join(root, 'dist', 'cli', 'main.js');
  const programs = {
    cellroute: `"${process.execPath}" "${main}"`,
    python: `"${referencePython}"`,
    pip: 'true',
  };
  for (const [program, command] of Object.entries(programs)) {
    writeFileSync(join(own, 'bin', program), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  }
  copyFileSync(join(root, 'examples/images/fluorescence-small-crowded.png'), join(own, 'nuclei.png'));
  copyFileSync(
    join(root, 'models/starter/segmenter-fluorescence.safetensors'),
    join(own, 'segmenter.safetensors'),
  );
  return own;
}

function commandOf({ language, code }: Snippet, own: string): [string, string[]] {
  if (language === 'sh') return ['bash', ['-euo', 'pipefail', '-c', code]];
  if (language === 'python') return [referencePython!, ['-c', code]];
  const file = join(own, 'snippet.mjs');
  writeFileSync(file, code);
  return [process.execPath, [file]];
}

for (const page of ['docs/to-python.md', 'docs/from-python.md']) {
  testReference(`${page} runs`, async () => {
    const own = application(page.replace(/\W/g, '-'));
    for (const snippet of snippetsOf(page)) {
      const [program, args] = commandOf(snippet, own);
      const { status, stdout, stderr } = spawnSync(program, args, {
        cwd: own,
        encoding: 'utf8',
        env: {
          ...process.env,
          PATH: [join(own, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter),
        },
      });
      const place = `${page}, line ${snippet.line}`;
      expect({ place, status, ...(status === 0 ? {} : { stdout, stderr }) }).toEqual({ place, status: 0 });
    }
  });
}
