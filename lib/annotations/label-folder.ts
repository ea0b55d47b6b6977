import { readdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { isDrawing, LABELS_ENDING } from '../export/file-names.js';
import { unreadable } from '../file-errors.js';
import { imageEndings } from '../image/format.js';
import { foreignLabels } from './foreign-forms.js';
import { isHidden, maskedImage, similarName, stemOf, withoutImageEnding } from './names.js';

const LABELS_SUFFIX = stemOf(LABELS_ENDING);

/** Which files of a folder are label images. */
export interface LabelFolderOptions {
  /** Whether files of subfolders, named `folder/name`, belong to it too. */
  withBelow: boolean;
  /** Whether only files with the names of Cellpose's masks are label images, because images are beside them. */
  onlyMasks: boolean;
  /** Names of the images. One that itself ends as masks do keeps its name. */
  imageNames: ReadonlySet<string>;
}

/** Label images by the names of their images: `NAME.png`, `NAME.labels.png`, `NAME_masks.png` or `NAME_cp_masks.png`. */
export class LabelFolder {
  readonly path: string;
  readonly #options: LabelFolderOptions;
  readonly #files = new Map<string, string[]>();
  /** Kind of a file that is not an image. */
  #foreign = '';

  private constructor(path: string, options: LabelFolderOptions) {
    this.path = path;
    this.#options = options;
  }

  /** @throws {CellrouteError} FILE_UNREADABLE if the folder does not exist. */
  static async read(path: string, options: LabelFolderOptions): Promise<LabelFolder> {
    const folder = new LabelFolder(path, options);
    await folder.#list('');
    return folder;
  }

  get names(): string[] {
    return [...this.#files.keys()];
  }

  get foreign(): string {
    return this.#foreign;
  }

  async #list(below: string): Promise<void> {
    const entries = await readdir(join(this.path, below), { withFileTypes: true }).catch(
      unreadable(this.path),
    );
    this.#foreign ||= foreignLabels(entries.map(({ name }) => name));
    for (const entry of entries) {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      if (isHidden(entry.name)) continue;
      if (this.#options.withBelow && entry.isDirectory()) await this.#list(name);
      if (!imageEndings.includes(extname(name).toLowerCase()) || isDrawing(name)) continue;
      const id = this.#imageOf(stemOf(name.normalize('NFC')));
      if (id !== undefined) this.#files.set(id, [...(this.#files.get(id) ?? []), name]);
    }
  }

  /** Name of the image that belongs to a label image of this name; undefined for a file that is not a label image. */
  #imageOf(stem: string): string | undefined {
    const { onlyMasks, imageNames } = this.#options;
    const masked = maskedImage(stem);
    if (onlyMasks) return masked;
    if (stem.endsWith(LABELS_SUFFIX)) return stem.slice(0, -LABELS_SUFFIX.length);
    return masked === undefined || imageNames.has(stem) ? stem : masked;
  }

  find(id: string): { path: string } | { reason: string } {
    // An id may be a file name with extension.
    const found = this.#files.get(id) ?? this.#files.get(withoutImageEnding(id)) ?? [];
    if (found.length === 1) return { path: join(this.path, found[0]!) };
    if (found.length === 0) {
      if (this.#options.onlyMasks) {
        const expected = `${stemOf(id)}_masks or ${stemOf(id)}_cp_masks`;
        return { reason: `its labels: there is no ${expected} beside it in ${this.path}` };
      }
      const hint = this.#foreign || similarName(id, [...this.#files.values()].flat());
      return { reason: `its labels: there is no image with this name in ${this.path}${hint}` };
    }
    const names = found.map((name) => basename(name)).sort();
    return { reason: `there are several label images with this name: ${names.join(', ')}` };
  }
}
