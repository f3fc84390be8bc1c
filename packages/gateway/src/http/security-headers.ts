import type { ServerResponse } from 'node:http';

/** What every answer of ours carries: nothing we send is a document to sniff, to frame or to keep. */
const alwaysHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
} as const;

const pageHeaders = {
  'X-Frame-Options': 'DENY',
  // Not `no-referrer`: with it Chromium and Firefox send `Origin: null` on our own form's POST, which the consent
  // check must refuse. `same-origin` still tells other sites nothing.
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()',
} as const;

/** For JSON, redirects and empty answers. */
export function applySecurityHeaders(res: ServerResponse): void {
  for (const [name, value] of Object.entries(alwaysHeaders)) res.setHeader(name, value);
}

/**
 * For pages.
 *
 * There is no `form-action`: Chromium applies it to every redirect that follows the POST, so the way from Allow
 * over Entra to `http://127.0.0.1` or `cursor://` would end in a dead button. A form cannot be injected, since
 * `html.ts` lets no markup through, and the POST itself is checked.
 *
 * Nor is there a `Cross-Origin-Opener-Policy`: web clients open the sign-in in a window and wait for a message from
 * their own callback page there. Every value but the default cuts that window off from its opener for good, also
 * `same-origin-allow-popups`, which spares only windows that we would open. What an opener can do without it is to
 * send the window elsewhere; it reads nothing of our page and cannot press a button on it.
 *
 * @param stylesheetHash `sha256-…` of the one inline stylesheet.
 */
export function applyPageHeaders(res: ServerResponse, stylesheetHash: string): void {
  applySecurityHeaders(res);
  for (const [name, value] of Object.entries(pageHeaders)) res.setHeader(name, value);
  res.setHeader(
    'Content-Security-Policy',
    `default-src 'none'; style-src '${stylesheetHash}'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'`,
  );
}
