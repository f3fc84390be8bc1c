/** What went wrong at PostgreSQL, from SQLSTATE codes and the codes of the network. */
import { DatabaseError } from 'pg';
import { isTlsCode, systemCodeOf } from './system-code.ts';

/** What the connection met before any statement was sent. */
export class ConnectFault extends Error {
  override readonly name = 'ConnectFault';
}

/** The statement was rolled back: repeating it is right. */
const repeatable: Readonly<Record<string, string>> = {
  '40001': 'too many writers at once',
  '40P01': 'too many writers at once',
};

/** The server refuses for a moment, before it has executed anything. */
const passing: Readonly<Record<string, string>> = {
  '57P03': 'it is starting or stopping',
  '53300': 'it has no free connection',
  '25006': 'the server is read-only: a replica, or a disk that is full',
};

/** The server ended the connection; a statement that was under way may or may not have been committed. */
const ending: Readonly<Record<string, string>> = {
  '57P01': 'it is being stopped',
  '57P02': 'it has crashed',
  '08006': 'the connection was lost',
};

const lasting: Readonly<Record<string, string>> = {
  '28P01': 'it does not accept the user name and password',
  '28000': 'it does not let this user in',
  '3D000': 'the database does not exist',
  '3F000': 'its tables are missing: run valetkey migrate',
  '42P01': 'its tables are missing: run valetkey migrate',
  '42501':
    'the role may not do this; where tables are missing, run valetkey migrate with a role that may create them',
  '53100': 'its disk is full',
  '57014': 'the statement took too long',
};

export function isUnsentPostgres(fault: unknown): boolean {
  if (fault instanceof ConnectFault) return !isLasting(fault.cause);
  const state = stateOf(fault);
  return state in repeatable || state in passing;
}

export function isLostPostgres(fault: unknown): boolean {
  if (fault instanceof ConnectFault) return false;
  if (stateOf(fault) in ending || systemCodeOf(fault) !== undefined) return true;
  // The library has no class for these.
  return (
    fault instanceof Error &&
    /^Connection terminated|^Client has encountered a connection/.test(fault.message)
  );
}

export function describePostgresFault(fault: unknown): string {
  if (fault instanceof ConnectFault) return describePostgresFault(fault.cause);
  const state = stateOf(fault);
  const known = lasting[state] ?? passing[state] ?? repeatable[state] ?? ending[state];
  if (known !== undefined) return known;
  if (state !== '') return `it does not accept the statement (${state})`;
  const code = systemCodeOf(fault);
  if (isTlsCode(code)) return `its certificate is not trusted (${code})`;
  if (isLostPostgres(fault)) return `the connection was lost (${code ?? 'closed'})`;
  return 'no connection';
}

/** The server has answered, and goes on with this connection. */
export function isConnectionSound(fault: unknown): boolean {
  const state = stateOf(fault);
  return state !== '' && !(state in passing) && !(state in ending);
}

function isLasting(fault: unknown): boolean {
  return stateOf(fault) in lasting || isTlsCode(systemCodeOf(fault));
}

function stateOf(fault: unknown): string {
  return fault instanceof DatabaseError ? (fault.code ?? '') : '';
}
