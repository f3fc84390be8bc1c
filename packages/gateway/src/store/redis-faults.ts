/** What went wrong at Redis, from the library's error classes and the first word of Redis's own replies. */
import {
  AbortError,
  ClientClosedError,
  ClientOfflineError,
  ConnectionTimeoutError,
  DisconnectsClientError,
  ErrorReply,
  MaxCommandRedirectionsError,
  RootNodesUnavailableError,
  SocketClosedUnexpectedlyError,
  SocketTimeoutError,
} from 'redis';
import { isTlsCode, systemCodeOf } from './system-code.ts';

/** Replies with which Redis declines before it has done anything, for the moment. */
const passing: Readonly<Record<string, string>> = {
  LOADING: 'it is still loading its data',
  READONLY: 'the server is a replica',
  MASTERDOWN: 'the replica has lost its master',
  CLUSTERDOWN: 'the cluster is down',
  TRYAGAIN: 'the slot is being moved',
  NOREPLICAS: 'too few replicas are connected',
};

/** Replies with which it declines until somebody mends something. */
const lasting: Readonly<Record<string, string>> = {
  NOAUTH: 'it wants a password',
  WRONGPASS: 'it does not accept the user name and password',
  NOPERM: 'the user may not run the commands that the gateway needs',
  OOM: 'its memory is full',
  MISCONF: 'it cannot write to its disk',
  ERR: 'it does not accept the command',
  NOTBUSY: 'it does not accept the command',
  BUSY: 'it is busy with a script',
};

export function isUnsentRedis(fault: unknown): boolean {
  if (fault instanceof ClientOfflineError || fault instanceof RootNodesUnavailableError) return true;
  if (fault instanceof MaxCommandRedirectionsError) return true;
  if (fault instanceof ErrorReply) return Object.hasOwn(passing, replyCode(fault));
  return systemCodeOf(fault) === 'ECONNREFUSED';
}

export function isLostRedis(fault: unknown): boolean {
  return (
    fault instanceof SocketClosedUnexpectedlyError ||
    fault instanceof SocketTimeoutError ||
    fault instanceof DisconnectsClientError ||
    fault instanceof AbortError ||
    systemCodeOf(fault) !== undefined
  );
}

/** Somebody has to mend something first: a password, a certificate. */
export function isLastingRedis(fault: unknown): boolean {
  if (fault instanceof ErrorReply) return Object.hasOwn(lasting, replyCode(fault));
  return isTlsCode(systemCodeOf(fault));
}

export function describeRedisFault(fault: unknown): string {
  if (fault instanceof ErrorReply) {
    const word = replyCode(fault);
    return passing[word] ?? lasting[word] ?? 'it does not accept the command';
  }
  if (fault instanceof ClientClosedError) return 'it is closed';
  if (fault instanceof ClientOfflineError || fault instanceof ConnectionTimeoutError) return 'no connection';
  if (fault instanceof SocketTimeoutError) return 'the connection fell silent';
  if (fault instanceof RootNodesUnavailableError) return 'no node of the cluster can be reached';
  const code = systemCodeOf(fault);
  if (isTlsCode(code)) return `its certificate is not trusted (${code})`;
  if (isLostRedis(fault)) return `the connection was lost (${code ?? 'closed'})`;
  return 'no connection';
}

function replyCode(fault: ErrorReply): string {
  return /^[A-Z]+/.exec(fault.message)?.[0] ?? '';
}
