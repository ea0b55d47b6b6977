// The import graph of lib/, including type imports.
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { root } from './run.mjs';

const IMPORT = /\b(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)\.js'/g;

/** Imports per file, limited to the listed files. */
export function importGraph(files, read = (path) => readFileSync(join(root, path), 'utf8')) {
  const known = new Set(files);
  return new Map(
    files.map((file) => {
      const imported = [...read(file).matchAll(IMPORT)].map(([, path]) =>
        posix.join(posix.dirname(file), `${path}.ts`),
      );
      return [file, [...new Set(imported)].filter((path) => known.has(path))];
    }),
  );
}

/** Import cycles: strongly connected components (Tarjan) with more than one file, each sorted. */
export function importCycles(graph) {
  const index = new Map();
  const low = new Map();
  const stack = [];
  const cycles = [];
  const visit = (file) => {
    index.set(file, index.size);
    low.set(file, index.get(file));
    stack.push(file);
    for (const next of graph.get(file)) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file), low.get(next)));
    }
    if (low.get(file) !== index.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1 || graph.get(file).includes(file)) cycles.push(group.sort());
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return cycles;
}

/** Imports from one set of folders of lib/ into another, as "file -> file". */
export function importsBetween(graph, from, to) {
  const within = (folders) => (file) => folders.some((folder) => file.startsWith(`lib/${folder}/`));
  return [...graph]
    .filter(([file]) => within(from)(file))
    .flatMap(([file, imported]) => imported.filter(within(to)).map((path) => `${file} -> ${path}`));
}
