/** The SQL of the store, prepared once. Values are always bound, never written into the text. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { KeyedRecord } from './driver.ts';

const live = '(records.expires_at IS NULL OR records.expires_at > ?)';
const columns = `records.key, records.value, records.expires_at,
  (SELECT json_group_array(group_name) FROM record_groups WHERE record_groups.key = records.key) AS group_names`;

export function prepareStatements(database: DatabaseSync) {
  return {
    /** key, now */
    get: database.prepare(`SELECT ${columns} FROM records WHERE key = ? AND ${live}`),
    /** key, value, expiry */
    put: database.prepare(`INSERT INTO records (key, value, expires_at) VALUES (?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`),
    /** key, value, expiry */
    create: database.prepare(`INSERT INTO records (key, value, expires_at) VALUES (?, ?, ?)
      ON CONFLICT (key) DO NOTHING`),
    /** value, expiry, key, expected, now */
    replace: database.prepare(`UPDATE records SET value = ?, expires_at = ?
      WHERE key = ? AND value = ? AND ${live}`),
    /** key */
    delete: database.prepare('DELETE FROM records WHERE key = ?'),
    /** key, now */
    deleteExpired: database.prepare('DELETE FROM records WHERE key = ? AND expires_at <= ?'),
    /** group, key */
    addGroup: database.prepare('INSERT INTO record_groups (group_name, key) VALUES (?, ?)'),
    /** key */
    dropGroups: database.prepare('DELETE FROM record_groups WHERE key = ?'),
    /** group, now */
    list: database.prepare(`SELECT ${columns} FROM record_groups JOIN records USING (key)
      WHERE record_groups.group_name = ? AND ${live}`),
    /** group, now */
    countGroup: database.prepare(`SELECT count(*) AS live FROM record_groups JOIN records USING (key)
      WHERE record_groups.group_name = ? AND ${live}`),
    /** group */
    deleteGroup: database.prepare(
      'DELETE FROM records WHERE key IN (SELECT key FROM record_groups WHERE group_name = ?)',
    ),
    /** now, limit */
    sweep: database.prepare(`DELETE FROM records WHERE key IN
      (SELECT key FROM records WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`),
    /** after, now, limit */
    scan: database.prepare(`SELECT ${columns} FROM records WHERE key > ? AND ${live} ORDER BY key LIMIT ?`),
    ping: database.prepare('SELECT count(*) FROM (SELECT 1 FROM records LIMIT 1)'),
  };
}

type Row = Record<string, SQLOutputValue>;

export function readRow(row: Row): KeyedRecord {
  const { key, value, expires_at: expiresAt, group_names: groupNames } = row;
  if (typeof key !== 'string' || !(value instanceof Uint8Array) || typeof groupNames !== 'string') {
    throw new TypeError('a row does not have the layout of the store');
  }
  return {
    key,
    record: {
      value,
      ...(typeof expiresAt === 'number' ? { expiresAtSeconds: expiresAt } : {}),
      groups: JSON.parse(groupNames) as string[],
    },
  };
}
