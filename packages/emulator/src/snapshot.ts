/**
 * Room `snapshot`: everything of a running emulator that can change, as JSON, and back. People, apps and grants refer to each
 * other, so all of it is one graph: a refresh token still belongs to the person who is disabled afterwards.
 */
import type { ClockState, EmulatorClock } from './clock.ts';
import type { Directory } from './directory.ts';
import type { PlannedFault } from './faults.ts';
import type { Grants } from './grants.ts';
import type { KeyVaultState } from './key-vault/key-vault-keys.ts';
import type { SigningKey } from './keys.ts';
import type { Realm } from './realm.ts';
import { readGraph, type StateGraph, writeGraph } from './state-graph.ts';

export interface Snapshot {
  readonly format: 'entra-emulator-snapshot';
  readonly version: 1;
  readonly state: StateGraph;
}

type Records = readonly (readonly [handle: string, record: unknown])[];

interface State {
  readonly directory: Directory;
  /** By name of the shelf. */
  readonly grants: Readonly<Record<string, Records>>;
  readonly faults: readonly PlannedFault[];
  readonly clock: ClockState;
  readonly settings: Realm['settings'];
  readonly keys?: readonly SigningKey[];
  /** A vault is its private keys: without them there is nothing of it to keep. */
  readonly vault?: KeyVaultState;
}

type SnapshotRealm = Realm & { directory: Directory };

export async function takeSnapshot(
  realm: SnapshotRealm,
  clock: EmulatorClock,
  privateKeys: boolean,
): Promise<Snapshot> {
  const vault = privateKeys ? await realm.vault.export() : undefined;
  const state: State = {
    directory: realm.directory,
    grants: Object.fromEntries(shelvesOf(realm.grants).map(([name, shelf]) => [name, shelf.entries()])),
    faults: realm.faults.list(),
    clock: clock.state(),
    settings: { ...realm.settings },
    ...(vault === undefined ? {} : { keys: realm.keys.export(), vault }),
  };
  return { format: 'entra-emulator-snapshot', version: 1, state: writeGraph(state, { privateKeys }) };
}

/** Nothing is changed before all of it has been read. @throws TypeError for what is no snapshot */
export function restoreSnapshot(realm: SnapshotRealm, clock: EmulatorClock, snapshot: Snapshot): void {
  const state = readState(snapshot);
  realm.directory = state.directory;
  for (const [name, shelf] of shelvesOf(realm.grants)) {
    shelf.clear();
    for (const [handle, record] of state.grants[name] ?? []) shelf.set(handle, record);
  }
  realm.faults.restore(state.faults);
  clock.restore(state.clock);
  for (const name of Object.keys(realm.settings)) Object.assign(realm.settings, { [name]: undefined });
  Object.assign(realm.settings, state.settings);
  // Counters of throttling and the memory of change tracking: a delta link of before starts over, as Graph has it (410).
  realm.graph.clear();
  if (state.keys !== undefined) realm.keys.import(state.keys);
  if (state.vault !== undefined) realm.vault.import(state.vault);
}

function readState(snapshot: Snapshot): State {
  if (snapshot?.format !== 'entra-emulator-snapshot' || snapshot.version !== 1)
    throw new TypeError('This is not a snapshot of the Entra emulator, version 1');
  const state = readAnyGraph(snapshot.state) as Partial<State> | null;
  const isWhole =
    Array.isArray(state?.directory?.tenants) &&
    typeof state.grants === 'object' &&
    Array.isArray(state.faults) &&
    typeof state.clock?.aheadMs === 'number' &&
    typeof state.settings === 'object';
  if (!isWhole) throw new TypeError('The snapshot is not complete');
  return state as State;
}

function readAnyGraph(graph: StateGraph): unknown {
  try {
    return readGraph(graph);
  } catch (problem) {
    throw new TypeError('The snapshot cannot be read', { cause: problem });
  }
}

interface AnyShelf {
  entries(): Records;
  set(handle: string, record: unknown): void;
  clear(): void;
}

function shelvesOf(grants: Grants): readonly (readonly [string, AnyShelf])[] {
  return Object.entries(grants).filter(([, shelf]) => typeof shelf === 'object') as readonly (readonly [
    string,
    AnyShelf,
  ])[];
}
