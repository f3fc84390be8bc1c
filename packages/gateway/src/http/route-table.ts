import type { Route } from './exchange.ts';

/** Finds the rows of a path: those with exactly this path, else those with the longest matching prefix. */
export type FindRows = (path: string) => readonly Route[];

/**
 * @throws TypeError for a row that could never be reached or would take another's requests: a path that does not
 *   start with `/`, or the same method twice on one path.
 */
export function createRouteTable(routes: readonly Route[]): FindRows {
  const exact = new Map<string, Route[]>();
  const prefixes = new Map<string, Route[]>();
  for (const route of routes) {
    const isPrefix = route.path.endsWith('/*');
    const table = isPrefix ? prefixes : exact;
    const key = isPrefix ? route.path.slice(0, -1) : route.path;
    const rows = table.get(key) ?? [];
    checkRow(route, rows);
    table.set(key, [...rows, route]);
  }
  const longestFirst = [...prefixes].toSorted(([one], [other]) => other.length - one.length);
  return (path) => exact.get(path) ?? longestFirst.find(([prefix]) => path.startsWith(prefix))?.[1] ?? [];
}

/** HEAD is served by the GET row: Node leaves the body out by itself. */
export function findMethod(rows: readonly Route[], method: string): Route | undefined {
  const wanted = method === 'HEAD' ? ['HEAD', 'GET'] : [method];
  return (
    rows.find((row) => row.methods.some((each) => wanted.includes(each))) ??
    rows.find((row) => row.methods.includes('*'))
  );
}

function checkRow(route: Route, others: readonly Route[]): void {
  if (!route.path.startsWith('/')) throw new TypeError(`route ${route.path}: a path starts with /`);
  const taken = new Set(others.flatMap((row) => row.methods));
  const twice = route.methods.find((method) => taken.has(method));
  if (twice !== undefined) throw new TypeError(`route ${route.path}: ${twice} is there twice`);
}
