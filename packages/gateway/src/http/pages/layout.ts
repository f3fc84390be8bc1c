import { createHash } from 'node:crypto';
import { type Html, html, ownMarkup } from './html.ts';
import { keyMark } from './icon.ts';
import { stylesheet } from './stylesheet.ts';

/**
 * The one frame of every page: no script, no external request, one inline stylesheet that the Content Security
 * Policy admits by its hash. Inline, so that a page looks right behind a proxy that forwards only some paths.
 */
export function renderPage(page: {
  readonly title: string;
  readonly body: Html;
  /** Goes on by itself, to an address of ours. */
  readonly refresh?: { readonly seconds: number; readonly url: string };
}): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
${page.refresh !== undefined && html`<meta http-equiv="refresh" content="${page.refresh.seconds};url=${page.refresh.url}">`}
<title>${page.title}</title>
${openStyle}${stylesheet}${closeStyle}
</head>
<body>
<main>
<div class="brand">${keyMark}<span>Valetkey</span></div>
${page.body}
</main>
</body>
</html>
`;
}

/** The CSP source that admits our stylesheet, and nothing else that might get into a page. */
export function stylesheetHash(): string {
  return `sha256-${createHash('sha256').update(stylesheet.markup).digest('base64')}`;
}

const openStyle = ownMarkup`<style>`;
const closeStyle = ownMarkup`</style>`;
