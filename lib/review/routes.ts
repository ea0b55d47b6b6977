import { checkBoolean, checkKeys, checkNumber, checkObject } from '../check.js';
import { readImageFile } from '../image/companions.js';
import { decodeImage } from '../image/decode.js';
import type { ImageReadOptions } from '../image/types.js';
import { readAsset, styleOf } from '../page/assets.js';
import { displayPng } from '../render/display-png.js';
import { outlinePath } from '../render/outline-path.js';
import type { Corrections } from './corrections.js';
import { type Answer, json, RequestError, type Route } from './server.js';
import type { ReviewSource } from './source.js';

/** Longer side of the image in the browser: larger ones are reduced, while outlines stay exact. */
const MAX_SIDE = 8192;

/** The page's ES modules, served as they are. */
const MODULES = ['page', 'session', 'edits', 'geometry', 'view', 'tools'];

/**
 * The routes of a review. Images are named by their index: no path comes from the client.
 *
 * @param finish is called when the reviewer ends the review.
 */
export function reviewRoutes(
  source: ReviewSource,
  corrections: Corrections,
  read: ImageReadOptions,
  finish: () => void,
): Route[] {
  const { images, classes, cellTypes } = source;
  const imageAt = (index: string | undefined) => {
    const image = images[Number(index)];
    if (!image) throw new RequestError(404, 'There is no such image.');
    return image;
  };
  return [
    { method: 'GET', path: /^$/, handle: () => text('text/html', readAsset('review', 'page.html')) },
    { method: 'GET', path: /^page\.css$/, handle: () => text('text/css', styleOf('review', 'page.css')) },
    ...MODULES.map(
      (name): Route => ({
        method: 'GET',
        path: new RegExp(`^${name}\\.js$`),
        handle: () => text('text/javascript', readAsset('review', `${name}.js`)),
      }),
    ),
    {
      method: 'GET',
      path: /^session$/,
      handle: () =>
        json({
          classes,
          cellTypes,
          position: corrections.position,
          images: images.map(({ name }, i) => ({ name, reviewed: corrections.at(i).reviewed })),
        }),
    },
    {
      method: 'PUT',
      path: /^position$/,
      async handle(_, body) {
        const { image } = checkObject('body', body);
        const index = checkNumber('image', image, { min: 0, max: images.length - 1, integer: true });
        await corrections.setPosition(index);
        return json({});
      },
    },
    {
      method: 'GET',
      path: /^images\/(\d{1,9})$/,
      async handle([index]) {
        const { name, size, cellType, predictions } = imageAt(index);
        const { masks, classes: names, scores } = await predictions();
        const { revision, reviewed, edits } = corrections.at(Number(index));
        const contours = masks.contours();
        return json({
          name,
          ...size,
          cellType,
          revision,
          reviewed,
          edits,
          outlines: Array.from({ length: masks.length }, (_, i) => outlinePath(contours.polygons(i))),
          classes: names.map((one) => classes.indexOf(one)),
          scores: scores?.map((score) => Number(score.toFixed(3))),
        });
      },
    },
    {
      method: 'GET',
      path: /^images\/(\d{1,9})\/pixels$/,
      async handle([index]) {
        const { path } = imageAt(index);
        const image = await decodeImage(await readImageFile(path), read);
        return { type: 'image/png', body: await displayPng(image, MAX_SIDE) };
      },
    },
    {
      method: 'PUT',
      path: /^images\/(\d{1,9})$/,
      async handle([index], body) {
        imageAt(index);
        const given = checkObject('body', body);
        checkKeys('', given, ['revision', 'reviewed', 'edits']);
        const saved = await corrections.save(Number(index), {
          revision: checkNumber('revision', given.revision, { min: 0, integer: true }),
          reviewed: checkBoolean('reviewed', given.reviewed),
          edits: given.edits,
        });
        if ('revision' in saved) return json(saved);
        const { revision, reviewed, edits } = saved.conflict;
        return json({ revision, reviewed, edits }, 409);
      },
    },
    {
      method: 'POST',
      path: /^finish$/,
      async handle() {
        await corrections.settled();
        // After the answer: the server closes.
        setImmediate(finish);
        return json(corrections.summary());
      },
    },
  ];
}

const text = (type: string, body: string): Answer => ({ type: `${type}; charset=utf-8`, body });
