import { AadstsError } from './errors.ts';

/** @throws AADSTS900144 */
export function required(params: URLSearchParams, name: string): string {
  const value = params.get(name);
  if (value === null || value === '') throw new AadstsError(900144, { name });
  return value;
}

/** v1 has words of its own for a missing field. @throws AADSTS90014 */
export function requiredV1(params: URLSearchParams, name: string): string {
  const value = params.get(name);
  if (value === null || value === '') throw new AadstsError(90014, { name });
  return value;
}

/** RFC 6749 §3.1: a parameter comes once. @throws AADSTS9002313 */
export function refuseRepeated(params: URLSearchParams): void {
  const names = [...params.keys()];
  if (new Set(names).size !== names.length) throw new AadstsError(9002313);
}
