// The page of the service: one file, without anything from elsewhere.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { escapeJson } from '../report/escape.js';
import { scriptHash } from '../report/page.js';
import { ANSWER_FORMATS, extensionOf } from './formats.js';

/** The page, and the content security policy that it is sent with. */
export interface ServicePage {
  html: string;
  policy: string;
}

/** From the folder beside this file, in the sources and in dist. */
const asset = (name: string): string => readFileSync(join(__dirname, 'assets', name), 'utf8');

export function servicePage(): ServicePage {
  const script = asset('page.js');
  const formats = ANSWER_FORMATS.map((name) => ({ name, extension: extensionOf(name) }));
  const html = asset('page.html')
    .replace('/* style */', () => asset('page.css'))
    .replace('>null<', () => `>${escapeJson(formats)}<`)
    .replace('/* script */', () => script);
  // A report is shown in a frame without an origin, which has this policy too: its script is the only other one.
  const policy = [
    "default-src 'none'",
    `script-src ${scriptHash(script)} ${scriptHash()}`,
    "style-src 'unsafe-inline'",
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return { html, policy };
}
