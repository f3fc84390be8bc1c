import type { FastHead } from './fast-request.ts';

/** A head as it came, to its last byte. The digits of its length lie between `lengthAt` and `restAt`. */
export interface Sample {
  readonly bytes: Buffer;
  readonly lengthAt: number;
  readonly restAt: number;
  readonly head: FastHead;
}

/** A head that is known, and where the digits of its length end in the bytes at hand. */
export interface Recognized {
  readonly sample: Sample;
  readonly restAt: number;
}

export interface KnownHeads {
  /** @param bytes a head. @returns the same one, but for the digits of the length. */
  find(bytes: Buffer): Recognized | undefined;
  /** @returns whether the head has been seen before, and is short enough: so that it is worth keeping. */
  isSeen(bytes: Buffer): boolean;
  keep(sample: Sample): void;
}

const slots = 512;
/** Heads that fall into the same slot: those of one client for different tools often do. */
const perSlot = 4;
/** Longer heads are read each time: what is kept must not be large. */
const maxKept = 4096;

/**
 * Clients send the same heads again and again, but for the length of the body: to compare bytes costs less than to read
 * them. Kept is what has come twice, in bounded memory; whoever sends another one each time pushes out nothing.
 */
export function createKnownHeads(): KnownHeads {
  const kept = Array.from({ length: slots }, (): Sample[] => []);
  const seen = new Int32Array(slots);
  let next = 0;

  return {
    find(bytes) {
      const samples = kept[hashOf(bytes) & (slots - 1)] as Sample[];
      for (const sample of samples) {
        const restAt = findRest(bytes, sample);
        if (restAt !== undefined) return { sample, restAt };
      }
      return undefined;
    },
    isSeen(bytes) {
      if (bytes.length > maxKept) return false;
      const hash = hashOf(bytes);
      const slot = hash & (slots - 1);
      if (seen[slot] === hash) return true;
      seen[slot] = hash;
      return false;
    },
    keep(sample) {
      const samples = kept[hashOf(sample.bytes) & (slots - 1)] as Sample[];
      if (samples.length < perSlot) samples.push(sample);
      else samples[(next += 1) % perSlot] = sample;
    },
  };
}

const hashedStep = 16;

/**
 * Of some of the bytes, but for digits, among which the length is. What it says is only where to look: all of them are
 * compared there. A length of more digits moves what comes after it, and so is another entry.
 */
function hashOf(bytes: Buffer): number {
  let hash = 0;
  for (let at = 0; at < bytes.length; at += hashedStep) {
    const byte = bytes[at];
    if (!isDigit(byte)) hash = (Math.imul(hash, 31) + (byte as number)) | 0;
  }
  return hash ^ (hash >>> 15);
}

function findRest(bytes: Buffer, { bytes: known, lengthAt, restAt }: Sample): number | undefined {
  if (bytes.length < lengthAt || bytes.compare(known, 0, lengthAt, 0, lengthAt) !== 0) return undefined;
  const from = skipDigits(bytes, lengthAt);
  return bytes.compare(known, restAt, known.length, from, bytes.length) === 0 ? from : undefined;
}

/** @returns where they end. */
export function skipDigits(bytes: Buffer, from: number): number {
  let at = from;
  while (isDigit(bytes[at])) at += 1;
  return at;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
