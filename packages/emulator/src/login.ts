/**
 * Room `login`: what the pages of a sign-in post: a tile, a name with its password, a code, a consent, or a refusal.
 */
import { randomUUID } from 'node:crypto';
import { addAdminConsent } from './consent.ts';
import { findAmong, findUser, type User } from './directory.ts';
import { AadstsError } from './errors.ts';
import type { SignInFlow } from './grants.ts';
import type { PageProblem } from './login-page.ts';
import { refuseSignIn } from './outcome.ts';
import type { Realm } from './realm.ts';
import type { EmulatorRequest, Reply } from './request.ts';
import { isSameSecret } from './same-secret.ts';
import {
  acceptConsent,
  advance,
  type Arrival,
  findArrival,
  findCandidates,
  findObstacle,
  foreignAccountError,
  isForTheDoor,
  isPasswordDemanded,
  type Obstacle,
} from './sign-in.ts';
import { FACTOR_CODE } from './step-pages.ts';

export const SESSION_COOKIE = 'ESTSAUTH';
const MAX_WRONG_PASSWORDS = 10;

/** @throws AADSTS50089 on the page when the sign-in was begun too long ago, or never here */
export async function handleLogin(realm: Realm, request: EmulatorRequest): Promise<Reply> {
  const flow = realm.grants.flows.find(request.form.get('ctx') ?? '');
  if (flow === undefined || flow.expiresAtMs < realm.nowMs()) throw new AadstsError(50089);
  try {
    return await takeStep(realm, request, flow);
  } catch (refusal) {
    if (!(refusal instanceof AadstsError) || isForTheDoor(refusal)) throw refusal;
    return refuseSignIn(realm, request, flow.purpose, refusal);
  }
}

/** @throws AadstsError for the client, or for the page */
async function takeStep(realm: Realm, request: EmulatorRequest, flow: SignInFlow): Promise<Reply> {
  const { form } = request;
  if (form.has('cancel')) throw new AadstsError(65004);
  const arrival = findArrival(realm, flow);
  const obstacle = findObstacle(realm, flow, arrival);
  if (obstacle === undefined || arrival === undefined || obstacle.kind === 'login') {
    return obstacle === undefined ? advance(realm, request, flow) : takeLogin(realm, request, flow);
  }
  return advance(realm, request, flow, passObstacle(realm, form, flow, arrival, obstacle));
}

/** @returns what the page says when the step was not passed */
function passObstacle(
  realm: Realm,
  form: URLSearchParams,
  flow: SignInFlow,
  arrival: Arrival,
  obstacle: Exclude<Obstacle, { kind: 'login' }>,
): PageProblem | undefined {
  if (obstacle.kind === 'confirm') flow.isConfirmed = form.has('confirm');
  if (obstacle.kind === 'enrol' && form.has('enrol')) arrival.session.user.hasSecondFactor = true;
  if (obstacle.kind === 'factor') return takeFactor(realm, form, flow);
  if (obstacle.kind === 'request' && form.has('requestApproval')) throw new AadstsError(90095);
  if (obstacle.kind === 'consent' && form.has('consent'))
    takeConsent(form, flow, arrival, obstacle.permissions);
  return undefined;
}

function takeFactor(realm: Realm, form: URLSearchParams, flow: SignInFlow): PageProblem | undefined {
  if (!isSameSecret(form.get('otc') ?? '', FACTOR_CODE)) return { message: new AadstsError(500121).message };
  if (flow.session !== undefined) {
    flow.session.hasMfa = true;
    flow.session.authTimeMs = realm.nowMs();
  }
  return undefined;
}

/** Only an administrator's tick counts: the field is the page's, but anybody can post it. */
function takeConsent(
  form: URLSearchParams,
  flow: SignInFlow,
  arrival: Arrival,
  permissions: Extract<Obstacle, { kind: 'consent' }>['permissions'],
): void {
  const isForAll = flow.purpose.kind === 'adminConsent' || flow.purpose.prompt === 'admin_consent';
  const isAdmin = arrival.session.user.seed.isAdmin === true;
  if (isForAll && isAdmin) addAdminConsent(arrival.app, permissions);
  acceptConsent(flow, arrival, permissions, isAdmin && (isForAll || form.has('forAll')));
}

async function takeLogin(realm: Realm, request: EmulatorRequest, flow: SignInFlow): Promise<Reply> {
  const attempt = checkAttempt(realm, flow, request.form);
  if ('problem' in attempt) return advance(realm, request, flow, attempt.problem);
  const session = {
    sessionId: randomUUID(),
    user: attempt.user,
    sessionEpoch: attempt.user.sessionEpoch,
    authTimeMs: realm.nowMs(),
    hasMfa: false,
    apps: new Set([flow.purpose.app]),
  };
  const handle = realm.grants.sessions.add(session);
  flow.session = session;
  flow.isFresh = true;
  const reply = await advance(realm, request, flow);
  // Not `Secure`: the same browser may come over http next. SameSite=Lax keeps it out of cross-site posts.
  const cookie = `${SESSION_COOKIE}=${handle}; Path=/; HttpOnly; SameSite=Lax`;
  return { ...reply, headers: { ...reply.headers, 'set-cookie': cookie } };
}

type Attempt = { readonly user: User } | { readonly problem: PageProblem };

/** @throws AADSTS50020 for somebody who belongs to another tenant and knows their password */
function checkAttempt(realm: Realm, flow: SignInFlow, form: URLSearchParams): Attempt {
  const tile = isPasswordDemanded(flow) ? null : form.get('account');
  const username = tile ?? form.get('loginfmt') ?? '';
  const password = form.get('passwd') ?? '';
  const user = findAmong(findCandidates(realm, flow.purpose), username);
  const refuse = (code: number) => {
    const tenant = flow.purpose.app.tenant.seed.displayName;
    return { problem: { message: new AadstsError(code, { username, tenant }).message, username } };
  };
  if (user === undefined) {
    const stranger = findUser(realm.directory.tenants, username);
    if (stranger !== undefined && !stranger.seed.isAgent && isSameSecret(password, stranger.seed.password))
      throw foreignAccountError(flow.purpose, stranger);
    return refuse(50034);
  }
  const code = tile === null ? findPasswordProblem(user, password) : undefined;
  if (code !== undefined) return refuse(code);
  return user.enabled ? { user } : refuse(50057);
}

/** Ten wrong ones lock the account until the emulator is reset. */
export function findPasswordProblem(user: User, password: string): number | undefined {
  if (user.wrongPasswords >= MAX_WRONG_PASSWORDS) return 50053;
  if (isSameSecret(password, user.seed.password)) {
    user.wrongPasswords = 0;
    return undefined;
  }
  user.wrongPasswords += 1;
  return 50126;
}
