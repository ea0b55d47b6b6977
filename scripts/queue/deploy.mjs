// Checks of examples/deploy by the schemas of Compose and Kubernetes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, run } from '../run.mjs';
import { virtualEnvironment } from '../venv.mjs';

const path = (name) => join(root, 'examples', 'deploy', name);
const text = (name) => readFileSync(path(name), 'utf8');

/** Problems of a file by the validator of its format. */
const VALIDATORS = {
  'compose.yaml': ['-m', 'check_jsonschema', '--builtin-schema', 'vendor.compose-spec'],
  'kubernetes.yaml': ['-m', 'kubernetes_validate', '--strict', '--kubernetes-version', '1.31'],
};

/** The Python with both validators; undefined where it cannot be made. */
export const validatorPython = () =>
  virtualEnvironment(
    'deploy',
    [['check-jsonschema==0.39.0', 'kubernetes-validate==1.37.0']],
    'the validators of Compose and Kubernetes files',
  );

/** @param python of {@link validatorPython}. */
export const schemaChecks = (python) =>
  Object.entries(VALIDATORS).map(([name, args]) => [
    `examples/deploy/${name} has the schema of its program, and the validator refuses another one`,
    async () => {
      const { status, output } = run(python, [...args, path(name)], { capture: true });
      if (status !== 0) throw new Error(output);
      const folder = mkdtempSync(join(tmpdir(), 'cellroute-deploy-'));
      const wrong = join(folder, name);
      const [right, typo] = name === 'compose.yaml' ? ['healthcheck:', 'healthchek:'] : ['args:', 'arg:'];
      writeFileSync(wrong, text(name).replace(right, typo));
      const refused = run(python, [...args, wrong], { capture: true });
      rmSync(folder, { recursive: true });
      if (refused.status === 0) throw new Error(`${typo} was not refused`);
    },
  ]);
