/**
 * Room `console`: the page at `/emulator`, for the hand that has no code: who is there, what was asked, a fault by hand. It
 * calls the control plane and nothing else. A session begins with the one-time link or the control token; its cookie is
 * HttpOnly and SameSite=Strict. Other ports of localhost are the same site to a browser, so every form carries a token too,
 * and what a foreign page sends is refused.
 */
import { type ConsoleSession, createConsoleSessions } from './console-session.ts';
import { renderConsole, renderDoor, renderLink, renderRefusal } from './console-page.ts';
import type { Control } from './control.ts';
import { faultMatchShape, faultShape } from './control-commands.ts';
import { isFromForeignPage } from './control-server.ts';
import type { Fault, FaultMatch } from './faults.ts';
import type { EmulatorRequest, Reply } from './request.ts';
import { isSameSecret } from './same-secret.ts';
import { describeFault } from './shape.ts';

export const CONSOLE_PATH = '/emulator';
const COOKIE = 'entra-emulator-console';

export interface Console {
  answer(request: EmulatorRequest): Promise<Reply>;
  /** The path of a link that opens the console once. */
  createLink(): string;
}

export function createConsole(control: Control, token: string): Console {
  const sessions = createConsoleSessions();
  const enter = (): Reply => withHeaders(goTo(CONSOLE_PATH), { 'set-cookie': cookie(sessions.open()) });
  const leave = (request: EmulatorRequest): Reply => {
    sessions.close(request.cookies.get(COOKIE));
    return withHeaders(goTo(CONSOLE_PATH), { 'set-cookie': `${cookie('')}; Max-Age=0` });
  };
  const show = (request: EmulatorRequest): Reply => {
    const session = sessions.find(request.cookies.get(COOKIE));
    return session === undefined
      ? renderDoor(200)
      : renderConsole(control, session, request.query.get('done'));
  };
  const post = async (request: EmulatorRequest): Promise<Reply> => {
    if (isFromForeignPage(request)) return renderRefusal(403, 'The form came from another page.');
    if (request.path === `${CONSOLE_PATH}/open`)
      return sessions.takeKey(request.form.get('key') ?? '')
        ? enter()
        : renderDoor(403, 'The link was used already.');
    if (request.path === `${CONSOLE_PATH}/enter`)
      return isSameSecret(request.form.get('token') ?? '', token)
        ? enter()
        : renderDoor(403, 'That is not the control token.');
    const session = sessions.find(request.cookies.get(COOKIE));
    if (session === undefined) return renderDoor(403, 'Your session has ended.');
    if (!isOwnForm(session, request.form)) return renderRefusal(403, 'The form is not one of this session.');
    return request.path === `${CONSOLE_PATH}/leave` ? leave(request) : act(control, request);
  };
  return {
    createLink: () => `${CONSOLE_PATH}/open?key=${sessions.createKey()}`,
    async answer(request) {
      if (request.method === 'POST') return post(request);
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return withHeaders(renderRefusal(405, 'Use GET or POST.'), { allow: 'GET, POST' });
      if (request.path === CONSOLE_PATH) return show(request);
      // The link itself opens nothing yet: whoever previews links would use it up.
      if (request.path === `${CONSOLE_PATH}/open`) return renderLink(request.query.get('key') ?? '');
      return renderRefusal(404, 'There is no such page.');
    },
  };
}

const cookie = (handle: string) => `${COOKIE}=${handle}; Path=${CONSOLE_PATH}; HttpOnly; SameSite=Strict`;

function withHeaders(reply: Reply, headers: Readonly<Record<string, string>>): Reply {
  return { ...reply, headers: { ...reply.headers, ...headers } };
}

function goTo(path: string): Reply {
  return { status: 303, headers: { location: path, 'cache-control': 'no-store' } };
}

function isOwnForm(session: ConsoleSession, form: URLSearchParams): boolean {
  return isSameSecret(form.get('form') ?? '', session.formToken);
}

const actions: Readonly<
  Record<string, (control: Control, form: URLSearchParams) => string | Promise<string>>
> = {
  reset(control) {
    control.reset();
    return 'Everything is as seeded.';
  },
  async rotateKeys(control) {
    await control.rotateKeys();
    return 'A new key signs; the one before stays published.';
  },
  clearFaults(control) {
    control.clearFaults();
    return 'No fault is planned any more.';
  },
  setFault(control, form) {
    const match = readMatch(form);
    const fault = readFault(form);
    const faults = [...faultMatchShape.judge(match, 'for'), ...faultShape.judge(fault, 'fault')];
    const times = form.get('times') ?? '';
    if (!/^(|[1-9]\d{0,5})$/.test(times)) throw new TypeError('times: write a number, or nothing');
    if (faults.length > 0) throw new TypeError(faults.map(describeFault).join('; '));
    control.setFault(match, fault, times === '' ? undefined : Number(times));
    return 'The fault is planned.';
  },
  enableUser(control, form) {
    control.enableUser(form.get('username') ?? '');
    return `${form.get('username')} may sign in.`;
  },
  disableUser(control, form) {
    control.disableUser(form.get('username') ?? '');
    return `${form.get('username')} is disabled.`;
  },
  revokeSessions(control, form) {
    control.revokeSessions(form.get('username') ?? '');
    return `Every session of ${form.get('username')} is revoked.`;
  },
  advanceClock(control, form) {
    control.advanceClock(Number(form.get('seconds') || Number.NaN));
    return 'The clock is ahead.';
  },
};

/** The page asks back with what was done: reloading it does nothing twice. */
async function act(control: Control, request: EmulatorRequest): Promise<Reply> {
  const name = request.path.slice(`${CONSOLE_PATH}/do/`.length);
  const action =
    request.path.startsWith(`${CONSOLE_PATH}/do/`) && Object.hasOwn(actions, name)
      ? actions[name]
      : undefined;
  if (action === undefined) return renderRefusal(404, 'There is no such action.');
  try {
    const done = await action(control, request.form);
    return goTo(`${CONSOLE_PATH}?${new URLSearchParams({ done }).toString()}`);
  } catch (problem) {
    if (problem instanceof TypeError || problem instanceof RangeError)
      return renderRefusal(400, problem.message);
    throw problem;
  }
}

function readMatch(form: URLSearchParams): FaultMatch {
  const given = ['clientId', 'username', 'endpoint'].map((name) => [name, form.get(name) ?? '']);
  return Object.fromEntries(given.filter(([, value]) => value !== '')) as FaultMatch;
}

/** One number serves every kind: a code, seconds, milliseconds. What does not fit is found by the shape. */
function readFault(form: URLSearchParams): Fault {
  const number = Number(form.get('number') || Number.NaN);
  const byKind: Readonly<Record<string, unknown>> = {
    aadsts: { kind: 'aadsts', code: number },
    throttle: { kind: 'throttle', retryAfterSeconds: number },
    latency: { kind: 'latency', latencyMs: number },
    outage: { kind: 'outage' },
    hangUp: { kind: 'outage', hangUp: true },
  };
  const kind = form.get('kind') ?? '';
  return (Object.hasOwn(byKind, kind) ? byKind[kind] : {}) as Fault;
}
