import type { Route } from '../exchange.ts';
import { ownMarkup } from './html.ts';

/** The key in the head of each page; the stylesheet colours it. */
export const keyMark = ownMarkup`<svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" focusable="false"><rect width="32" height="32" rx="8"/><path fill="none" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round" d="m15.6 16.4 8.9-8.9m-3.6 3.6 3.2 3.2M18.2 13.8l2.4 2.4M17 19.8a4.8 4.8 0 1 1-9.6 0 4.8 4.8 0 0 1 9.6 0Z"/></svg>`;

const icon = ownMarkup`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0b57b0"/><path fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round" d="m15.6 16.4 8.9-8.9m-3.6 3.6 3.2 3.2M18.2 13.8l2.4 2.4M17 19.8a4.8 4.8 0 1 1-9.6 0 4.8 4.8 0 0 1 9.6 0Z"/></svg>`;

const iconLifetimeSeconds = 86_400;

/** The row that gives browsers the icon they ask for with each page; MCP clients show it too. */
export function createIconRoute(): Route {
  return {
    methods: ['GET'],
    path: '/favicon.ico',
    isUnrecorded: true,
    cors: 'none',
    maxBodyBytes: 0,
    handler: ({ res }) => {
      res.setHeader('X-Content-Type-Options', 'nosniff');
      res.setHeader('Cache-Control', `public, max-age=${iconLifetimeSeconds}`);
      res.setHeader('Content-Security-Policy', "default-src 'none'");
      res.writeHead(200, { 'Content-Type': 'image/svg+xml' }).end(icon.markup);
    },
  };
}
