// One key at one home replica, beside the partition clock K. A record keeps only what K does not say: the versions S, the part of the
// past that K lacks, and the span (life → highest counter of this key's history) that clips K to this key's context.
// Knows nothing of disks or peers. Invariant, at a home: dots(S) ⊆ K; past ∩ K = ∅ (kept lazily: K only grows, so what it came to
// cover is taken out whenever the record is touched); what the key knows is H = K ∪ past ∪ dots(S).

import { ByteReader, ByteWriter, MalformedBytes } from '../bytes.ts'
import { sameDot, type Dot, type Life, LIFE_BYTES } from './dot.ts'
import { DotSet, sortedLives } from './dot-set.ts'
import { encodeVersion, type Version } from './version.ts'
import { type Conflict, type DeadTag, decodeDeadTags, decodeVersions, encodeDeadTags, meet, type View } from './view.ts'

export interface KeyRecord {
  /** In dot order. */
  readonly versions: readonly Version[]
  readonly past: DotSet
  /** Null when stripped: then the span is that of the versions' own dots. */
  readonly span: ReadonlyMap<Life, number> | null
  readonly deadTags: readonly DeadTag[]
}

export const EMPTY_RECORD: KeyRecord = { versions: [], past: DotSet.empty(), span: null, deadTags: [] }

/** A stripped record with nothing in it: no reason to keep it. */
export function isVacant(record: KeyRecord): boolean {
  return record.versions.length === 0 && record.past.isEmpty && record.deadTags.length === 0
}

function spanOf(record: KeyRecord): ReadonlyMap<Life, number> {
  return record.span ?? versionSpan(record.versions)
}

function versionSpan(versions: readonly Version[]): Map<Life, number> {
  const span = new Map<Life, number>()
  for (const { dot } of versions) if (dot.counter > (span.get(dot.life) ?? 0)) span.set(dot.life, dot.counter)
  return span
}

/** ctx(key) = {(l, c) ∈ K ∪ past : c ≤ span[l]} ∪ past ∪ dots(S). */
export function contextOf(record: KeyRecord, clock: DotSet): DotSet {
  const context = clock.clip(spanOf(record))
  if (!record.past.isEmpty) context.addAll(record.past)
  for (const { dot } of record.versions) context.add(dot)
  return context
}

export function viewOf(record: KeyRecord, clock: DotSet): View {
  return { versions: record.versions, seen: contextOf(record, clock), deadTags: record.deadTags }
}

/** Whether the replica knows the dot for this key: it holds it, or what superseded it, or it was collected on proof. */
export function knows(record: KeyRecord, clock: DotSet, dot: Dot): boolean {
  return clock.has(dot) || record.past.has(dot) || record.versions.some((v) => sameDot(v.dot, dot))
}

export interface Merged {
  /** Null when nothing is left to keep. */
  readonly record: KeyRecord | null
  /** Dots for the clock, to be persisted with the record: those of the arriving versions, and never the whole `seen` of the view. */
  readonly received: readonly Dot[]
  /** Of the arriving versions: something new was taken in. False: every one was known before. */
  readonly stored: boolean
  /** Arriving versions that are not in the result: superseded here before they came. */
  readonly refused: readonly Dot[]
  readonly changed: boolean
}

/**
 * Merges a view into a home's record. `clock` is K before the merge and is not changed: the caller adds `received` in the same log entry.
 * `alsoSuperseded` is the sender's partition clock in a full exchange: what it covers and the view does not hold was superseded there.
 */
export function mergeIntoRecord(
  record: KeyRecord | undefined,
  clock: DotSet,
  view: View,
  conflict: Conflict,
  alsoSuperseded?: DotSet,
): Merged {
  const mine = record ?? EMPTY_RECORD
  const mineKnows = { has: (dot: Dot): boolean => knows(mine, clock, dot) }
  const theirsKnow = alsoSuperseded
    ? { has: (dot: Dot): boolean => view.seen.has(dot) || alsoSuperseded.has(dot) }
    : view.seen
  const tags = { mine: mine.deadTags, theirs: view.deadTags }
  const { versions, deadTags } = meet(mine.versions, mineKnows, view.versions, theirsKnow, tags, conflict)

  const received: Dot[] = []
  const refused: Dot[] = []
  let stored = false
  for (const { dot } of view.versions) {
    if (!versions.some((v) => sameDot(v.dot, dot))) refused.push(dot)
    if (clock.has(dot)) continue
    received.push(dot)
    if (!mineKnows.has(dot)) stored = true
  }
  const past = pastAfter(mine.past, view.seen, clock, received)
  const next: KeyRecord = { versions, past, span: spanAfter(mine, view.seen, versions), deadTags }
  const kept = isVacant(next) ? null : next
  return { record: kept, received, stored, refused, changed: received.length > 0 || !sameRecord(record, kept) }
}

/** (past ∪ seen) ∖ K, where K has what is received with this merge. */
function pastAfter(past: DotSet, seen: DotSet, clock: DotSet, received: readonly Dot[]): DotSet {
  const rest = seen.subtract(clock)
  if (!past.isEmpty) rest.addAll(past.subtract(clock))
  for (const dot of received) rest.remove(dot)
  return rest
}

/** Null where the span says no more than the versions themselves, as it is for a key that one life overwrites again and again. */
function spanAfter(mine: KeyRecord, seen: DotSet, versions: readonly Version[]): ReadonlyMap<Life, number> | null {
  const span = mine.span ? new Map(mine.span) : versionSpan(mine.versions)
  seen.raiseTops(span)
  for (const [life, top] of span) {
    if (!versions.some(({ dot }) => dot.counter === top && dot.life === life)) return span
  }
  return null
}

function sameSpan(a: ReadonlyMap<Life, number>, b: ReadonlyMap<Life, number>): boolean {
  if (a.size !== b.size) return false
  for (const [life, counter] of a) if (b.get(life) !== counter) return false
  return true
}

function sameRecord(a: KeyRecord | undefined, b: KeyRecord | null): boolean {
  if (!a || !b) return !a && !b
  return (
    a.versions.length === b.versions.length &&
    a.versions.every((v, i) => sameDot(v.dot, (b.versions[i] as Version).dot)) &&
    sameSpan(spanOf(a), spanOf(b)) &&
    a.past.equals(b.past) &&
    a.deadTags.length === b.deadTags.length &&
    a.deadTags.every((tag, i) => tag.id === b.deadTags[i]?.id)
  )
}

/**
 * Shrinks a record to what is still needed: the span to the versions' own dots once every home's reported clock (`stable`, their
 * intersection) has the whole context, and the past to what the own clock lacks. Returns the same object when nothing shrinks, null
 * when nothing is left. `forgetTagsBeforeMs`: dead tags that died earlier, in a record that is stable, are forgotten.
 * That every home has the versions alone is not enough: what a version with a dead tag, or the loser of last-writer-wins, had
 * superseded is in the context, and in the past of no version that is still held.
 */
export function strip(record: KeyRecord, clock: DotSet, stable: DotSet, forgetTagsBeforeMs: number): KeyRecord | null {
  if (record.span === null && record.past.isEmpty && record.deadTags.length === 0) return record
  const past = record.past.subtract(clock)
  const settled = record.versions.every((v) => stable.has(v.dot)) && contextOf(record, clock).isSubsetOf(stable)
  const deadTags =
    settled && past.isEmpty ? record.deadTags.filter((tag) => tag.atMs >= forgetTagsBeforeMs) : record.deadTags
  const span = settled ? null : record.span
  if (span === record.span && past.equals(record.past) && deadTags.length === record.deadTags.length) return record
  const next: KeyRecord = { versions: record.versions, past, span, deadTags }
  return isVacant(next) ? null : next
}

/** Undoes stripping before a clock is given up after damage: the record again says by itself all that it had seen. */
export function unstrip(record: KeyRecord, clock: DotSet): KeyRecord {
  const context = contextOf(record, clock)
  const past = context.subtract(DotSet.of(...record.versions.map((v) => v.dot)))
  return { versions: record.versions, past, span: context.tops(), deadTags: record.deadTags }
}

/**
 * Takes out versions that `isSpent` names (deletions; expired ones whose time is past) when every home has reported a clock that
 * covers the record's whole context (`stable`): then no copy of what they superseded can arrive as news anywhere.
 * Returns the same object when there is nothing to collect.
 */
export function collect(
  record: KeyRecord,
  clock: DotSet,
  stable: DotSet,
  isSpent: (version: Version) => boolean,
): KeyRecord | null {
  if (!record.versions.some(isSpent)) return record
  if (!record.past.subtract(clock).isEmpty) return record
  if (!contextOf(record, clock).isSubsetOf(stable)) return record
  const next: KeyRecord = {
    ...record,
    past: DotSet.empty(),
    versions: record.versions.filter((v) => !isSpent(v)),
    span: spanOf(record),
  }
  return isVacant(next) ? null : next
}

// ── bytes: flags | lives | [span] | [past] | [dead tags] | versions ───────────────────────────────────────────────────────────────

const SPAN = 1
const PAST = 2
const DEAD_TAGS = 4

/** The form on disk and in the memtable. In the steady state: one life, a bare dot, stamps, lengths. */
export function encodeRecord(record: KeyRecord): Buffer {
  const writer = new ByteWriter()
  writer.u8((record.span ? SPAN : 0) | (record.past.isEmpty ? 0 : PAST) | (record.deadTags.length > 0 ? DEAD_TAGS : 0))
  const lives = livesOf(record)
  writer.varint(lives.length)
  for (const life of lives) writer.hex(life, LIFE_BYTES)
  if (record.span) for (const life of lives) writer.varint(record.span.get(life) ?? 0)
  if (!record.past.isEmpty) record.past.encode(writer)
  if (record.deadTags.length > 0) encodeDeadTags(writer, record.deadTags)
  writer.varint(record.versions.length)
  for (const version of record.versions) encodeVersion(writer, version, lives)
  return writer.finish()
}

/** The table that versions and span refer to: every life of the versions and of the span, in order. */
function livesOf(record: KeyRecord): Life[] {
  const [first, ...others] = record.versions
  if (first && others.length === 0 && record.span === null) return [first.dot.life]
  const lives = new Set(record.span?.keys())
  for (const { dot } of record.versions) lives.add(dot.life)
  return sortedLives(lives)
}

/** Throws `MalformedBytes`; values are views on the input. */
export function decodeRecord(bytes: Uint8Array): KeyRecord {
  const reader = new ByteReader(bytes)
  const flags = reader.u8()
  if (flags > (SPAN | PAST | DEAD_TAGS)) throw new MalformedBytes('unknown record flags')
  const count = reader.count(LIFE_BYTES)
  const lives: Life[] = []
  for (let i = 0; i < count; i++) {
    const life = reader.hex(LIFE_BYTES)
    if (i > 0 && life <= (lives[i - 1] as Life)) throw new MalformedBytes('lives out of order')
    lives.push(life)
  }
  let span: Map<Life, number> | null = null
  if (flags & SPAN) {
    span = new Map()
    for (const life of lives) {
      const top = reader.varint()
      if (top > 0) span.set(life, top)
    }
  }
  const past = flags & PAST ? DotSet.decode(reader) : DotSet.empty()
  const deadTags = flags & DEAD_TAGS ? decodeDeadTags(reader) : []
  const versions = decodeVersions(reader, lives)
  reader.end()
  return { versions, past, span, deadTags }
}
