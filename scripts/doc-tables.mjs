// Writes the tables of docs/ and RELEASE.md that follow from the code: thresholds, the commands with their options, and the
// platforms of a release. Needs a build.
//   node scripts/doc-tables.mjs [--check]     --check changes nothing, and fails where a table differs
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pinned } from './libtorch.mjs';
import { PLATFORMS } from './platforms.mjs';
import { root } from './run.mjs';

const require = createRequire(import.meta.url);

/** A Markdown table with aligned columns. */
function table(header, rows) {
  const all = [header, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = header.map((_, i) => Math.max(...all.map((row) => [...row[i]].length)));
  const line = (row) =>
    `| ${row.map((cell, i) => cell + ' '.repeat(widths[i] - [...cell].length)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(all[0]), rule, ...all.slice(1).map(line)].join('\n');
}

/** Numeric thresholds and `removeOverlaps`, with their flags. */
function thresholdTable() {
  const { REMOVE_OVERLAPS, THRESHOLD_NAMES, thresholdSpec } = require('../dist/inference/thresholds.js');
  const { flagOf } = require('../dist/cli/thresholds.js');
  const { program } = require('../dist/cli/main.js');
  const flags = program.commands
    .find((command) => command.name() === 'segment')
    .options.map(({ long }) => long);
  const row = (name, { range, unit, description, defaultText }) => {
    if (!flags.includes(flagOf(name))) throw new Error(`segment has no flag ${flagOf(name)}`);
    const whole = range.integer ? ', whole' : '';
    return [
      `\`${name}\``,
      `\`${flagOf(name)}\``,
      `${unit}, ${range.min} to ${range.max}${whole}`,
      /^[\w.]+\.\w+ of the model$/.test(defaultText)
        ? defaultText.replace(/^\S+/, '`$&`')
        : `\`${defaultText}\``,
      description,
    ];
  };
  return table(
    ['option', 'flag', 'unit and range', 'default', 'meaning'],
    [
      ...THRESHOLD_NAMES.map((name) => row(name, thresholdSpec(name))),
      row('removeOverlaps', REMOVE_OVERLAPS),
    ],
  );
}

/** Every command that does something, with the words before it. */
function commands() {
  const { program } = require('../dist/cli/main.js');
  const visit = (command, path) => {
    const name = [...path, command.name()];
    return command.commands.length > 0
      ? command.commands.flatMap((child) => visit(child, name))
      : [{ command, name }];
  };
  return { help: program.createHelp(), list: program.commands.flatMap((command) => visit(command, [])) };
}

/** `<images...>`, or in brackets what is optional. */
function termOf(argument) {
  const term = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${term}>` : `[${term}]`;
}

/** Each command with its arguments and the options that it needs, and what it does. */
function commandList() {
  const { list } = commands();
  return table(
    ['command', 'purpose'],
    list.map(({ command, name }) => {
      const required = command.options.filter(({ mandatory }) => mandatory);
      const words = [
        ...name,
        ...command.registeredArguments.map(termOf),
        ...required.map(({ long, flags }) => `${long} ${/<.+>/.exec(flags)?.[0] ?? ''}`.trim()),
      ];
      return [`\`${words.join(' ')}\``, command.description()];
    }),
  );
}

/** A section per command: its description, and a table of its options. */
function commandSections() {
  const { help, list } = commands();
  return list
    .map(({ command, name }) => {
      const terms = command.registeredArguments.map((argument) => [
        `\`${termOf(argument)}\``,
        help.argumentDescription(argument),
      ]);
      const options = command.options
        .filter(({ hidden }) => !hidden)
        .map((option) => [
          `\`${option.flags}\``,
          `${help.optionDescription(option)}${option.mandatory ? ' (required)' : ''}`,
        ]);
      const full = ['cellroute', ...name].join(' ');
      return [
        `### \`${full}\``,
        `${command.description()}.`,
        table([`\`${full}\``, 'meaning'], [...terms, ...options]),
      ].join('\n\n');
    })
    .join('\n\n');
}

/** Where a release is built, and with which LibTorch. */
function platformTable() {
  return table(
    ['platform', 'LibTorch', 'machine of release.yml', 'container', 'glibc'],
    Object.entries(PLATFORMS).map(([platform, { runner, container, glibc }]) => [
      `\`${platform}\``,
      pinned(platform),
      `\`${runner}\``,
      container ? `\`${container}\`` : '',
      glibc ?? '',
    ]),
  );
}

const TABLES = [
  ['docs/thresholds-and-tiles.md', 'thresholds', thresholdTable],
  ['docs/command-line.md', 'command list', commandList],
  ['docs/command-line.md', 'commands', commandSections],
  ['RELEASE.md', 'platforms', platformTable],
];

const check = process.argv.includes('--check');
let differs = false;
for (const [page, name, make] of TABLES) {
  const path = join(root, page);
  const text = readFileSync(path, 'utf8');
  const begin = `<!-- generated by scripts/doc-tables.mjs: ${name} -->`;
  const end = '<!-- end of the generated part -->';
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`${page} has no part "${begin}"`);
  const wanted = `${text.slice(0, from)}${begin}\n\n${make()}\n\n${text.slice(to)}`;
  if (wanted === text) continue;
  differs = true;
  if (!check) {
    writeFileSync(path, wanted);
    console.log(`${page}: ${name} written`);
    continue;
  }
  const old = new Set(text.split('\n'));
  const lines = wanted.split('\n').filter((line) => !old.has(line));
  console.error(
    `${page} differs from the code (node scripts/doc-tables.mjs writes it):\n${lines.join('\n')}`,
  );
}
if (check && differs) process.exitCode = 1;
