// Markdown files of the packages as they are published: npm shows them outside the repository, so their relative links
// become absolute.
import { statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { root } from './run.mjs';

/** Makes the relative links of a page absolute: files and folders at the tag of a version, images as raw files. */
export function absoluteLinks(page, markdown, { repository, version }) {
  const base = repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
  const raw = base.replace('//github.com/', '//raw.githubusercontent.com/');
  return markdown.replaceAll(/(!?)(\[[^\]]*\])\(([^)\s]+)\)/g, (link, image, text, target) => {
    if (/^([a-z]+:|#)/.test(target)) return link;
    const path = posix.join(posix.dirname(page), target);
    const isFolder = statSync(join(root, path.replace(/#.*/, ''))).isDirectory();
    const url = image ? `${raw}/v${version}` : `${base}/${isFolder ? 'tree' : 'blob'}/v${version}`;
    return `${image}${text}(${url}/${path})`;
  });
}
