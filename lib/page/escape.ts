const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Escapes a text for HTML content and attribute values. */
export function escapeHtml(text: string): string {
  // Control characters and lone surrogates are invalid in HTML.
  return text.replaceAll(/[&<>"']/g, (sign) => entities[sign]!).replaceAll(/[\p{Cc}\p{Cs}]/gu, '\ufffd');
}

/** Serialises data for `<script type="application/json">`. No text can end the script element. */
export function escapeJson(data: unknown): string {
  return JSON.stringify(data).replaceAll('<', '\\u003c');
}
