const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A text as it stands in HTML, between tags or inside an attribute's quotes. */
export function escapeHtml(text: string): string {
  // Control characters are no characters of HTML; a browser would show them as it likes
  return text.replaceAll(/[&<>"']/g, (sign) => entities[sign]!).replaceAll(/[\p{Cc}\p{Cs}]/gu, '\ufffd');
}

/** Data for a `<script type="application/json">`: no `</script>` or `<!--` of a text can end it. */
export function escapeJson(data: unknown): string {
  return JSON.stringify(data).replaceAll('<', '\\u003c');
}
