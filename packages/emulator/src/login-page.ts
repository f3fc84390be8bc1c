/** The login page: account tiles and a password form. The ids are Entra's own, so that browser tests can keep theirs. */
import { type App, isSameName, type User } from './directory.ts';
import { escapeHtml, htmlReply, renderProblem } from './pages.ts';
import type { Reply } from './request.ts';

export interface PageProblem {
  readonly message: string;
  readonly username?: string;
}

interface LoginPage {
  readonly action: string;
  readonly flow: string;
  readonly app: App;
  readonly users: readonly User[];
  readonly showPicker: boolean;
  readonly loginHint: string;
  readonly problem: PageProblem | undefined;
}

export function renderLoginPage(page: LoginPage): Reply {
  const body = `<h1>${page.showPicker ? 'Pick an account' : 'Sign in'}</h1>
<p class="tag">to continue to <strong>${escapeHtml(page.app.seed.displayName)}</strong> · local Entra ID emulator</p>
${renderProblem(page.problem, 'passwordError')}
${page.showPicker ? renderPicker(page) : ''}
<form method="post" action="${escapeHtml(page.action)}">
<input type="hidden" name="ctx" value="${escapeHtml(page.flow)}">
<label for="i0116">Username</label>
<input id="i0116" name="loginfmt" type="text" autocomplete="username" spellcheck="false" value="${escapeHtml(page.loginHint)}">
<label for="i0118">Password</label>
<input id="i0118" name="passwd" type="password" autocomplete="current-password">
<div class="actions">
<button type="submit" class="primary" id="idSIButton9">Sign in</button>
<button type="submit" id="idBtn_Back" name="cancel" value="1">Cancel</button>
</div>
</form>`;
  return htmlReply(200, 'Sign in to your account', body);
}

/** A hint brings its tile to the top. A tile needs no password: that is the point of a seeded tenant. */
function renderPicker(page: LoginPage): string {
  const hinted = (user: User) => Number(isSameName(user.seed.username, page.loginHint));
  const tiles = page.users.toSorted((one, other) => hinted(other) - hinted(one)).map(renderTile);
  return `<form method="post" action="${escapeHtml(page.action)}" aria-label="Pick an account">
<input type="hidden" name="ctx" value="${escapeHtml(page.flow)}">
<ul class="tiles">
${tiles.join('\n')}
</ul>
</form>`;
}

function renderTile(user: User): string {
  const username = escapeHtml(user.seed.username);
  return `<li><button type="submit" name="account" value="${username}" data-username="${username}"><b>${escapeHtml(user.seed.displayName)}</b><span>${username}</span><span>${escapeHtml(user.seed.hint)}</span></button></li>`;
}
