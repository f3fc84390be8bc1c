/** What the person sees in the browser at the end. Whole and by itself: it loads nothing and runs nothing. */
import { createHash } from 'node:crypto';

export type Ending = 'signed-in' | 'declined' | 'failed';

const texts: Readonly<Record<Ending, readonly [title: string, text: string]>> = {
  'signed-in': ['You are signed in', 'You can close this window and go back to your application.'],
  declined: ['Nothing was signed in', 'The sign-in was declined. You can close this window.'],
  failed: [
    'The sign-in did not work',
    'Your application says why. You can close this window and try again there.',
  ],
};

const style = `
:root { color-scheme: light dark }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 26rem; margin: 1rem; padding: 2rem; border: 1px solid #8886; border-radius: .75rem }
h1 { margin: 0 0 .5rem; font-size: 1.4rem }
p { margin: 0 }
`;
const styleHash = createHash('sha256').update(style).digest('base64');

export const closingPageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  connection: 'close',
};

export function renderClosingPage(ending: Ending): string {
  const [title, text] = texts[ending];
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><style>${style}</style></head>
<body><main><h1>${title}</h1><p>${text}</p></main></body>
</html>
`;
}
