/** The console's HTML: plain, accessible, light and dark, wide and narrow. Every value is escaped; no script but one. */
import { randomBytes } from 'node:crypto';
import { CONSOLE_STYLE } from './console-style.ts';
import type { ConsoleSession } from './console-session.ts';
import type { Control } from './control.ts';
import { ENDPOINTS } from './control-commands.ts';
import type { PlannedFault } from './faults.ts';
import { escapeHtml } from './pages.ts';
import type { Reply } from './request.ts';
import type { RequestLogEntry } from './request-log.ts';
import type { AppOverview, TenantOverview, UserOverview } from './tenant-overview.ts';

const SHOWN_REQUESTS = 60;

function page(status: number, title: string, body: string, script?: string): Reply {
  const nonce = randomBytes(16).toString('base64');
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style nonce="${nonce}">${CONSOLE_STYLE}</style>
</head>
<body>
${body}
${script === undefined ? '' : `<script nonce="${nonce}">${script}</script>`}
</body>
</html>
`;
  const policy = [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': policy.join('; '),
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      // Not `no-referrer`: with it a browser sends its own forms as `Origin: null`, like a foreign page's.
      'referrer-policy': 'same-origin',
    },
    body: html,
  };
}

const small = (heading: string, body: string) =>
  `<main class="small"><h1>${escapeHtml(heading)}</h1>${body}</main>`;
const problemLine = (problem: string | undefined) =>
  problem === undefined ? '' : `<p class="problem" role="alert">${escapeHtml(problem)}</p>`;

/** For whoever has no session: the way in. */
export function renderDoor(status: number, problem?: string): Reply {
  const body = `${problemLine(problem)}
<p>Open the link that was printed at start. It works once; after that, the control token lets you in.</p>
<form method="post" action="/emulator/enter">
<label for="token">Control token</label>
<input id="token" name="token" type="password" autocomplete="off" required>
<button class="primary" type="submit">Open the console</button>
</form>`;
  return page(status, 'Entra emulator', small('Entra emulator', body));
}

export function renderLink(key: string): Reply {
  const body = `<p>This link opens the console of the Entra emulator, once.</p>
<form method="post" action="/emulator/open" id="open">
<input type="hidden" name="key" value="${escapeHtml(key)}">
<button class="primary" type="submit">Open the console</button>
</form>`;
  return page(
    200,
    'Entra emulator',
    small('Entra emulator', body),
    'document.getElementById("open").submit()',
  );
}

export function renderRefusal(status: number, message: string): Reply {
  const body = `${problemLine(message)}<p><a href="/emulator">Back to the console</a></p>`;
  return page(status, 'Entra emulator', small('That did not work', body));
}

export function renderConsole(control: Control, session: ConsoleSession, done: string | null): Reply {
  const tenants = control.tenants();
  const form = (action: string, label: string, more = '', style = '') =>
    `<form method="post" action="/emulator/do/${action}">${hidden('form', session.formToken)}${more}<button type="submit"${style}>${label}</button></form>`;
  const body = `<header>
<h1>Entra emulator</h1>
<p>Clock <time datetime="${toIso(control.clock().nowMs)}">${toIso(control.clock().nowMs)}</time>${control.clock().frozenAtMs === undefined ? '' : ' (stands still)'}</p>
<nav aria-label="Sections"><a href="#faults">Faults</a><a href="#people">People</a><a href="#apps">Apps</a><a href="#requests">Requests</a></nav>
<div class="tools">
${form('rotateKeys', 'Rotate keys')}
${form('advanceClock', 'Clock + 1 hour', hidden('seconds', '3600'))}
${form('reset', 'Reset to seed', '', ' class="danger"')}
<form method="post" action="/emulator/leave">${hidden('form', session.formToken)}<button type="submit">Leave</button></form>
</div>
</header>
<main>
${done === null ? '' : `<p class="done" role="status">${escapeHtml(done)}</p>`}
${renderFaults(control.faults(), tenants, session, form('clearFaults', 'Clear all'))}
${tenants.map((tenant, index) => renderTenant(tenant, form, index === 0 ? '' : `-${index + 1}`)).join('\n')}
${renderRequests(control.requestLog().slice(-SHOWN_REQUESTS).toReversed())}
</main>`;
  return page(200, 'Entra emulator', body);
}

type Form = (action: string, label: string, more?: string) => string;

function hidden(name: string, value: string): string {
  return `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`;
}

function toIso(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? 'out of range' : date.toISOString().replace(/\.\d+Z$/, 'Z');
}

function renderFaults(
  faults: readonly PlannedFault[],
  tenants: readonly TenantOverview[],
  session: ConsoleSession,
  clear: string,
): string {
  const option = (value: string, label = value) =>
    `<option value="${escapeHtml(value)}">${escapeHtml(label)}</option>`;
  const users = tenants.flatMap((tenant) => tenant.users.map((user) => option(user.username)));
  const apps = tenants.flatMap((tenant) => tenant.apps.map((app) => option(app.clientId, app.displayName)));
  const planned = faults.map((each) => `<li><code>${escapeHtml(describePlanned(each))}</code></li>`).join('');
  return `<section id="faults" aria-labelledby="faults-heading">
<h2 id="faults-heading">Faults</h2>
${planned === '' ? '<p class="quiet">None is planned.</p>' : `<ul class="planned">${planned}</ul>${clear}`}
<form method="post" action="/emulator/do/setFault" class="fields">
${hidden('form', session.formToken)}
<label>What <select name="kind">${option('aadsts', 'AADSTS code')}${option('throttle', '429, seconds to wait')}${option('latency', 'Latency, milliseconds')}${option('outage', '503')}${option('hangUp', 'Broken connection')}</select></label>
<label>Number <input name="number" inputmode="numeric" pattern="[0-9]*" placeholder="50076" value="50076"></label>
<label>Endpoint <select name="endpoint">${option('', 'any')}${ENDPOINTS.map((each) => option(each)).join('')}</select></label>
<label>App <select name="clientId">${option('', 'any')}${apps.join('')}</select></label>
<label>Person <select name="username">${option('', 'any')}${users.join('')}</select></label>
<label>Times <input name="times" inputmode="numeric" pattern="[0-9]*" placeholder="until cleared" value="1"></label>
<button class="primary" type="submit">Plan the fault</button>
</form>
</section>`;
}

function describePlanned({ match, fault, times }: PlannedFault): string {
  const who = Object.entries(match).map(([name, value]) => `${name} ${String(value)}`);
  const what = Object.entries(fault)
    .filter(([name]) => name !== 'kind')
    .map(([name, value]) => `${name} ${String(value)}`);
  const often = times === undefined ? 'until cleared' : `${times} more`;
  return `${[fault.kind, ...what].join(' ')} · ${who.length === 0 ? 'everybody' : who.join(', ')} · ${often}`;
}

function renderTenant(tenant: TenantOverview, form: Form, suffix: string): string {
  const heading = escapeHtml(`${tenant.displayName} (${tenant.domain})`);
  const anchors = (kind: string) => `id="${kind}${suffix}" aria-label="${kind}: ${heading}"`;
  return `<section ${anchors('people')}>
<h2>${heading} <code>${escapeHtml(tenant.tenantId)}</code></h2>
<ul class="cards">${tenant.users.map((user) => renderUser(user, form)).join('')}</ul>
</section>
<section ${anchors('apps')}>
<h2>Apps</h2>
<ul class="cards">${tenant.apps.map(renderApp).join('')}</ul>
</section>`;
}

function renderUser(user: UserOverview, form: Form): string {
  const who = hidden('username', user.username);
  const marks = [
    user.enabled ? '' : '<span class="mark off">disabled</span>',
    user.isGuest ? '<span class="mark">guest</span>' : '',
    user.groupCount > 0 ? `<span class="mark">${user.groupCount} groups</span>` : '',
  ];
  const roles = [...new Set(Object.values(user.roles).flat())];
  return `<li>
<h3>${escapeHtml(user.displayName)}</h3>
<p><code>${escapeHtml(user.username)}</code> ${marks.join(' ')}</p>
<p class="quiet">${escapeHtml(roles.length > 0 ? roles.join(', ') : 'no role')}</p>
<div class="tools">${user.enabled ? form('disableUser', 'Disable', who) : form('enableUser', 'Enable', who)}${form('revokeSessions', 'Revoke sessions', who)}</div>
</li>`;
}

function renderApp(app: AppOverview): string {
  const counts = [
    `secrets ${app.secretCount}`,
    `certificates ${app.certificateCount}`,
    `federated ${app.federatedCredentialCount}`,
  ];
  const uris = app.redirectUris.map(
    ({ uri, platform }) => `<li><code>${escapeHtml(uri)}</code> <span class="mark">${platform}</span></li>`,
  );
  return `<li>
<h3>${escapeHtml(app.displayName)}</h3>
<p><code>${escapeHtml(app.clientId)}</code></p>
<p class="quiet">${counts.join(' · ')}</p>
${uris.length === 0 ? '' : `<ul class="uris">${uris.join('')}</ul>`}
</li>`;
}

function renderRequests(entries: readonly RequestLogEntry[]): string {
  const rows = entries.map(renderRequest).join('');
  return `<section id="requests" aria-labelledby="requests-heading">
<h2 id="requests-heading">Recent requests</h2>
${
  rows === ''
    ? '<p class="quiet">Nobody has asked yet.</p>'
    : `<div class="scroll" tabindex="0" role="region" aria-labelledby="requests-heading"><table>
<thead><tr><th scope="col">Time</th><th scope="col">Status</th><th scope="col">Request</th><th scope="col">Parameters</th></tr></thead>
<tbody>${rows}</tbody></table></div>`
}
</section>`;
}

function renderRequest(entry: RequestLogEntry): string {
  const params = Object.entries({ ...entry.query, ...entry.form });
  const list = params.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`);
  const details =
    list.length === 0
      ? ''
      : `<details><summary>${escapeHtml(entry.form['grant_type'] ?? entry.query['client_id'] ?? `${list.length} parameters`)}</summary><dl>${list.join('')}</dl></details>`;
  return `<tr><td><time>${toIso(entry.atMs).slice(11, 19)}</time></td><td class="${entry.status < 400 ? 'good' : 'bad'}">${entry.status}</td><td><code>${escapeHtml(`${entry.method} ${entry.path}`)}</code></td><td>${details}</td></tr>`;
}
