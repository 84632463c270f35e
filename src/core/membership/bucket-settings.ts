// What a bucket promises its keys. Pure: the settings, their defaults, which of them are fixed, and how two members' tables merge.
// Invariant: merging is commutative, associative and idempotent; a higher revision wins, ties by the greater encoding.

import { ByteReader, ByteWriter, MalformedBytes } from '../bytes.ts'
import type { Conflict } from '../causality/view.ts'

/** A replica count: a number, or relative to the N in force. */
export type Level = number | 'one' | 'quorum' | 'all'

export interface BucketSettings {
  /** Replicas wanted, 1..15; in force is the smaller of this and the number of members. */
  readonly n: number
  readonly r: Level
  readonly w: Level
  readonly sloppy: boolean
  readonly conflict: Conflict
  readonly durability: 'durable' | 'memory'
  /** Expiry of a put without Quorate-TTL, in seconds; null: none. */
  readonly ttlSeconds: number | null
  /** 0..1: every expiry is shortened by a random part of up to this fraction, so that keys put together do not die together. */
  readonly ttlJitter: number
}

export const DEFAULT_BUCKET: BucketSettings = {
  n: 3,
  r: 'quorum',
  w: 'quorum',
  sloppy: true,
  conflict: 'siblings',
  durability: 'durable',
  ttlSeconds: null,
  ttlJitter: 0,
}

/** Settled when the bucket is configured or holds keys: another value would change where or how what is stored was stored. */
export const FIXED_SETTINGS = ['n', 'conflict', 'durability'] as const

export interface ConfiguredBucket {
  readonly settings: BucketSettings
  /** 1 at the first configuration, one more at each change. */
  readonly revision: number
}

export type BucketTable = ReadonlyMap<string, ConfiguredBucket>

function encodeOne(configured: ConfiguredBucket): Buffer {
  const writer = new ByteWriter()
  writer.varint(configured.revision)
  writer.text(JSON.stringify(configured.settings, Object.keys(DEFAULT_BUCKET).sort()))
  return writer.finish()
}

function mergeConfigured(
  a: ConfiguredBucket | undefined,
  b: ConfiguredBucket | undefined,
): ConfiguredBucket | undefined {
  if (!a || !b) return a ?? b
  if (a.revision !== b.revision) return a.revision > b.revision ? a : b
  return Buffer.compare(encodeOne(a), encodeOne(b)) >= 0 ? a : b
}

export function mergeBucketTables(a: BucketTable, b: BucketTable): BucketTable {
  const merged = new Map(a)
  for (const [bucket, configured] of b)
    merged.set(bucket, mergeConfigured(merged.get(bucket), configured) as ConfiguredBucket)
  return merged
}

export function encodeBucketTable(table: BucketTable): Buffer {
  const writer = new ByteWriter()
  writer.varint(table.size)
  for (const bucket of [...table.keys()].sort()) {
    writer.text(bucket)
    writer.bytes(encodeOne(table.get(bucket) as ConfiguredBucket))
  }
  return writer.finish()
}

/** Throws `MalformedBytes`. */
export function decodeBucketTable(bytes: Uint8Array): BucketTable {
  const reader = new ByteReader(bytes)
  const count = reader.count(3)
  const table = new Map<string, ConfiguredBucket>()
  for (let i = 0; i < count; i++) {
    const bucket = reader.text()
    const inner = new ByteReader(reader.bytes())
    const revision = inner.varint()
    const settings = parseSettings(inner.text())
    inner.end()
    table.set(bucket, { revision, settings })
  }
  reader.end()
  return table
}

function parseSettings(text: string): BucketSettings {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new MalformedBytes('bucket settings are not JSON')
  }
  const given = new Map<string, unknown>(Object.entries(parsed ?? {}))
  const level = (value: unknown): value is Level =>
    value === 'one' || value === 'quorum' || value === 'all' || (Number.isInteger(value) && (value as number) >= 1)
  const seconds = (value: unknown): value is number => typeof value === 'number' && value >= 0
  const read = <T>(name: keyof BucketSettings, ok: (value: unknown) => value is T): T => {
    const value = given.get(name)
    if (!ok(value)) throw new MalformedBytes(`bucket setting ${name}`)
    return value
  }
  const boolean = (value: unknown): value is boolean => typeof value === 'boolean'
  return {
    n: read(
      'n',
      (value): value is number => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 15,
    ),
    r: read('r', level),
    w: read('w', level),
    sloppy: read('sloppy', boolean),
    conflict: read('conflict', (value): value is Conflict => value === 'siblings' || value === 'lww'),
    durability: read('durability', (value): value is 'durable' | 'memory' => value === 'durable' || value === 'memory'),
    ttlSeconds: read('ttlSeconds', (value): value is number | null => value === null || seconds(value)),
    ttlJitter: read('ttlJitter', (value): value is number => seconds(value) && value <= 1),
  }
}
