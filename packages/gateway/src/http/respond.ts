/** How room `http` and the edges answer: every answer through here is uncached and carries our headers. */
import type { Exchange } from './exchange.ts';
import type { Html } from './pages/html.ts';
import { stylesheetHash } from './pages/layout.ts';
import { applyPageHeaders, applySecurityHeaders } from './security-headers.ts';

/** Sends a page made by `renderPage`. */
export function sendHtml(exchange: Exchange, status: number, page: Html): void {
  const { res } = exchange;
  applyPageHeaders(res, stylesheetHash());
  end(exchange, status, 'text/html; charset=utf-8', page.markup);
}

export function sendJson(exchange: Exchange, status: number, body: unknown): void {
  applySecurityHeaders(exchange.res);
  end(exchange, status, 'application/json; charset=utf-8', JSON.stringify(body));
}

/**
 * Redirects.
 *
 * @param location absolute, and judged by the caller: this only refuses what is no URL at all or would run as
 *   script in the browser. Private schemes such as `cursor://` pass.
 * @param status 303 makes a GET of a POST (RFC 9110 §15.4.4), which is what follows a form.
 * @throws TypeError for such a location: a fault of ours, never a client's.
 */
export function sendRedirect(exchange: Exchange, location: string, status: 302 | 303 = 303): void {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(location)?.[1]?.toLowerCase();
  // Not `URL.parse` for the value sent: a client's redirect URI must come back byte for byte.
  if (
    scheme === undefined ||
    scriptSchemes.has(scheme) ||
    /[^\x21-\x7e]/.test(location) ||
    !URL.canParse(location)
  )
    throw new TypeError('refused to redirect to an unsafe location');
  applySecurityHeaders(exchange.res);
  exchange.res.setHeader('Referrer-Policy', 'no-referrer');
  exchange.res.writeHead(status, { Location: location }).end();
}

const scriptSchemes = new Set([
  'javascript',
  'data',
  'vbscript',
  'blob',
  'file',
  'about',
  'filesystem',
  'view-source',
]);

function end(exchange: Exchange, status: number, contentType: string, body: string): void {
  const bytes = Buffer.from(body);
  exchange.res.writeHead(status, { 'Content-Type': contentType, 'Content-Length': bytes.length }).end(bytes);
}
