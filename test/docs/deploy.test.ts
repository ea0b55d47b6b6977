// The files of examples/deploy: their commands exist, their probes are answered, and what they stop is given its time.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { parse, parseAllDocuments } from 'yaml';
import { program } from '../../lib/cli/main.js';
import { root } from '../support/sdk.js';

const text = (name: string) => readFileSync(join(root, 'examples', 'deploy', name), 'utf8');

/** The values of a command's options, parsed as the command line does; throws for what it does not know. */
function optionsOf(args: readonly string[]): Record<string, unknown> {
  const [name, ...rest] = args;
  const command = program.commands.find((each) => each.name() === name) as Command;
  expect(command).toBeDefined();
  command.exitOverride().configureOutput({ writeErr: () => {} });
  const { unknown } = command.parseOptions(rest);
  expect(unknown).toEqual([]);
  return command.opts();
}

describe('compose.yaml', () => {
  interface Service {
    image: string;
    command?: string[];
    entrypoint?: string[];
    stop_grace_period?: string;
    healthcheck?: { test: string[] };
    environment?: Record<string, string>;
    ports?: string[];
    deploy?: { resources: { limits: { cpus: string } } };
  }
  const { services } = parse(text('compose.yaml')) as { services: Record<string, Service> };

  test('starts workers by options that exist, with time to drain and a probe that is answered', () => {
    const { command, stop_grace_period: grace, healthcheck, environment, deploy } = services.worker!;
    const options = optionsOf(command!);
    expect(options.redis).toBe('redis://redis:6379');
    expect(Number.parseInt(grace!, 10)).toBeGreaterThan(options.drain as number);
    expect(healthcheck!.test.join(' ')).toContain(`http://127.0.0.1:${options.probes}/livez`);
    expect(environment!.CELLROUTE_THREADS).toBe(deploy!.resources.limits.cpus);
  });

  test('starts the service by options that exist, with time to drain, a probe and a token', () => {
    const service = services.serve!;
    const options = optionsOf(service.command!);
    expect(options.host).toBe('0.0.0.0');
    expect(Number.parseInt(service.stop_grace_period!, 10)).toBeGreaterThan(options.drain as number);
    expect(service.healthcheck!.test.join(' ')).toContain(`http://127.0.0.1:${options.port}/readyz`);
    expect(service.ports).toEqual([`127.0.0.1:${options.port}:${options.port}`]);
    expect(service.environment).toEqual({
      CELLROUTE_THREADS: service.deploy!.resources.limits.cpus,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: compose's syntax
      CELLROUTE_SERVE_TOKEN: '${TOKEN:-}',
    });
  });

  test('submits by options that exist, and Redis keeps what it has', () => {
    const { entrypoint } = services.submit!;
    expect(optionsOf(entrypoint!.slice(2)).wait).toBe(true);
    expect(services.redis!.command!.join(' ')).toContain('--appendonly yes --maxmemory-policy noeviction');
  });
});

describe('kubernetes.yaml', () => {
  interface Container {
    args: string[];
    ports?: { name?: string; containerPort: number }[];
    startupProbe?: { httpGet: { path: string; port: string } };
    readinessProbe?: { httpGet: { path: string; port: string } };
    lifecycle?: { preStop: { exec: { command: string[] } } };
    livenessProbe?: { httpGet: { path: string; port: string } };
    env?: { name: string; value?: string; valueFrom?: object }[];
    resources: { limits: { cpu?: string; memory: string } };
    volumeMounts: { name: string; mountPath: string }[];
  }
  interface Manifest {
    apiVersion: string;
    kind: string;
    metadata: { name: string };
    spec: {
      selector?: { matchLabels?: object };
      ports?: { name: string; targetPort?: string }[];
      template: {
        metadata?: { labels: object };
        spec: {
          terminationGracePeriodSeconds?: number;
          containers: Container[];
          volumes?: { name: string; persistentVolumeClaim?: { claimName: string } }[];
        };
      };
    };
  }
  const documents = parseAllDocuments(text('kubernetes.yaml'));
  const manifests = documents.map((document) => document.toJS() as Manifest);
  const named = (kind: string, name: string) =>
    manifests.find((each) => each.kind === kind && each.metadata.name === name)!;

  test('is valid YAML, and selectors find their pods', () => {
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    expect(manifests.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)).toEqual([
      'v1 Service',
      'apps/v1 StatefulSet',
      'v1 PersistentVolumeClaim',
      'apps/v1 Deployment',
      'batch/v1 Job',
      'v1 Service',
      'apps/v1 Deployment',
    ]);
    for (const { spec } of manifests.filter(({ kind }) => /Set|Deployment/.test(kind))) {
      expect(spec.template.metadata!.labels).toEqual(spec.selector!.matchLabels);
    }
  });

  test('workers have options that exist, probes on their port, time to drain, and limits', () => {
    const { spec } = named('Deployment', 'cellroute-worker').spec.template;
    const [worker] = spec.containers as [Container];
    const options = optionsOf(worker.args);
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(options.drain as number);
    const [port] = worker.ports!;
    expect(port!.containerPort).toBe(options.probes);
    expect(options.probeHost).toBe('0.0.0.0');
    const probes = [worker.startupProbe, worker.readinessProbe, worker.livenessProbe];
    expect(probes.map((probe) => probe!.httpGet)).toEqual([
      { path: '/readyz', port: port!.name },
      { path: '/readyz', port: port!.name },
      { path: '/livez', port: port!.name },
    ]);
    expect(worker.env).toEqual([{ name: 'CELLROUTE_THREADS', value: worker.resources.limits.cpu }]);
    expect(worker.resources.limits.memory).toMatch(/Gi$/);
  });

  test('the service has options that exist, probes on its port, a token, and time to drain', () => {
    const { spec } = named('Deployment', 'cellroute-serve').spec.template;
    const [serve] = spec.containers as [Container];
    const options = optionsOf(serve.args);
    const before = Number(serve.lifecycle!.preStop.exec.command[1]);
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(before + (options.drain as number));
    const [port] = serve.ports!;
    expect(port!.containerPort).toBe(options.port);
    const probes = [serve.startupProbe, serve.readinessProbe, serve.livenessProbe];
    expect(probes.map((probe) => probe!.httpGet)).toEqual([
      { path: '/readyz', port: port!.name },
      { path: '/readyz', port: port!.name },
      { path: '/livez', port: port!.name },
    ]);
    expect(serve.env).toEqual([
      { name: 'CELLROUTE_THREADS', value: serve.resources.limits.cpu },
      {
        name: 'CELLROUTE_SERVE_TOKEN',
        valueFrom: { secretKeyRef: { name: 'cellroute-token', key: 'token' } },
      },
    ]);
    const service = named('Service', 'cellroute-serve').spec;
    expect(service.ports![0]!.targetPort).toBe(port!.name);
    expect(service.selector).toEqual(named('Deployment', 'cellroute-serve').spec.template.metadata!.labels);
  });

  test('what is mounted exists, and images are submitted from it', () => {
    for (const { kind, spec } of manifests.filter(({ kind }) => /Deployment|Job/.test(kind))) {
      const { containers, volumes = [] } = spec.template.spec;
      const names = volumes.map(({ name }) => name);
      for (const { volumeMounts } of containers)
        for (const { name } of volumeMounts)
          expect([kind, names]).toEqual([kind, expect.arrayContaining([name])]);
      for (const { persistentVolumeClaim } of volumes) {
        if (persistentVolumeClaim)
          expect(named('PersistentVolumeClaim', persistentVolumeClaim.claimName)).toBeDefined();
      }
    }
    const [submit] = named('Job', 'cellroute-submit').spec.template.spec.containers as [Container];
    expect(submit.args.slice(0, 2)).toEqual(['submit', '/data/images']);
    optionsOf([submit.args[0]!, ...submit.args.slice(2)]);
  });
});
