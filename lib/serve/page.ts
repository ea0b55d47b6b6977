// The page of the service: one HTML file without external resources.
import { readAsset, styleOf } from '../page/assets.js';
import { escapeJson } from '../page/escape.js';
import { scriptHash } from '../report/page.js';
import { ANSWER_FORMATS, extensionOf } from './formats.js';

/** The page and its content security policy. */
export interface ServicePage {
  html: string;
  policy: string;
}

export function servicePage(): ServicePage {
  const script = readAsset('serve', 'page.js');
  const formats = ANSWER_FORMATS.map((name) => ({ name, extension: extensionOf(name) }));
  const html = readAsset('serve', 'page.html')
    .replace('/* style */', () => styleOf('serve', 'page.css'))
    .replace('>null<', () => `>${escapeJson(formats)}<`)
    .replace('/* script */', () => script);
  // A report is shown in a frame without an origin, which inherits this policy. Its script is therefore allowed too.
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
