// One key at one home replica, beside the partition clock K. A record keeps only what K does not say: the versions S, the part of the
// past that K lacks, and the span (life → highest counter of this key's history) that clips K to this key's context.
// Knows nothing of disks or peers. Invariant, at a home: dots(S) ⊆ K; past ∩ K = ∅ (kept lazily: K only grows, so what it came to
// cover is taken out whenever the record is touched); what the key knows is H = K ∪ past ∪ dots(S).

import { ByteReader, ByteWriter, MalformedBytes, Split } from '../bytes.ts'
import { sameDot, type Dot, type Life, LIFE_BYTES } from './dot.ts'
import { DotSet } from './dot-set.ts'
import { hybridFromMs } from './hybrid-clock.ts'
import { type Lives, placeOf, sharedLives } from './lives.ts'
import { Span } from './span.ts'
import { decodeDot, decodeSteady, encodeSteady, isSteady, looksSteady, STEADY } from './steady-record.ts'
import { compareByStamp, type Version } from './version.ts'
import {
  type DeadTag,
  deadTagsOf,
  decodeDeadTags,
  encodeDeadTags,
  sameDeadTags,
  tagsSince,
  uniteDeadTags,
  writesOf,
} from './attempts.ts'
import { type Conflict, decodeVersions, encodeVersions, holds, meet, type View } from './view.ts'

export interface KeyRecord {
  /** In dot order. */
  readonly versions: readonly Version[]
  readonly past: DotSet
  /** Null when stripped: then the span is that of the versions' own dots. */
  readonly span: Span | null
  readonly deadTags: readonly DeadTag[]
}

// Shared, since records are never changed.
const NO_DOTS: DotSet = DotSet.empty()
const NO_TAGS: readonly DeadTag[] = []
const NO_VERSIONS: readonly Version[] = []

export const EMPTY_RECORD: KeyRecord = { versions: [], past: NO_DOTS, span: null, deadTags: NO_TAGS }

/** A stripped record with nothing in it: no reason to keep it. */
export function isVacant(record: KeyRecord): boolean {
  return record.versions.length === 0 && record.past.isEmpty && record.deadTags.length === 0
}

function spanOf(record: KeyRecord): Span {
  return record.span ?? versionSpan(record.versions)
}

function versionSpan(versions: readonly Version[]): Span {
  const [first] = versions
  if (first === undefined || versions.length > 1) return Span.of(versions.map(({ dot }) => dot))
  return new Span([first.dot.life], [first.dot.counter])
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
  return clock.has(dot) || record.past.has(dot) || holds(record.versions, dot)
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
  const overwrite = alsoSuperseded === undefined ? mergeOverwrite(record ?? EMPTY_RECORD, clock, view, conflict) : null
  return overwrite ?? mergeAny(record, clock, view, conflict, alsoSuperseded)
}

/**
 * The steady state, in which one new version supersedes the one that is held (or comes first), and no tags are about; null for anything
 * else. Equal to `mergeAny`: the arriving version is not known here, so it survives (in `lww` as the greater one); the held one is seen
 * there, so it does not; no tag can die; a version remains and a dot was received, so the record is kept and changed.
 */
export function mergeOverwrite(mine: KeyRecord, clock: DotSet, view: View, conflict: Conflict): Merged | null {
  const [version] = view.versions
  const [held] = mine.versions
  if (version === undefined || view.versions.length > 1 || mine.versions.length > 1) return null
  if (version.tag !== null || view.deadTags.length > 0 || mine.deadTags.length > 0) return null
  if (held !== undefined) {
    if (held.tag !== null || sameDot(held.dot, version.dot)) return null
    if (conflict === 'lww' ? compareByStamp(version, held) <= 0 : !view.seen.has(held.dot)) return null
  }
  if (clock.has(version.dot) || mine.past.has(version.dot)) return null
  const received = [version.dot]
  const past = pastAfter(mine.past, view.seen, clock, received)
  const span = spanAfter(mine, view.seen, view.versions)
  const record = { versions: view.versions, past, span, deadTags: NO_TAGS }
  return { record, received, stored: true, refused: NO_REFUSED, changed: true }
}

const NO_REFUSED: readonly Dot[] = []

/** The rule itself. */
export function mergeAny(
  record: KeyRecord | undefined,
  clock: DotSet,
  view: View,
  conflict: Conflict,
  alsoSuperseded: DotSet | undefined,
): Merged {
  const mine = record ?? EMPTY_RECORD
  const mineKnows = { has: (dot: Dot): boolean => knows(mine, clock, dot) }
  const theirsKnow = alsoSuperseded
    ? { has: (dot: Dot): boolean => view.seen.has(dot) || alsoSuperseded.has(dot) }
    : view.seen
  const tags = { mine: mine.deadTags, theirs: view.deadTags }
  // What was superseded here within a tag's window has left its dead tag in the record. Where there is none, what the clock covers is old,
  // or the record was lost: the clock's word is taken for this copy, but no dead tag and no stub may carry it to the others.
  const isOld = ({ dot }: Version): boolean => mineKnows.has(dot) && !holds(mine.versions, dot)
  if (record === undefined && view.versions.length > 0 && view.versions.every(isOld)) return refusedAll(view)
  let arriving = view.versions
  let standing = mine.versions
  if (record === undefined || conflict === 'lww') arriving = arriving.filter((version) => !isOld(version))
  // In `lww` the stamp decides among what neither side is done with: that gave way to something greater, which may have been collected
  // since, and then a smaller one that came later lives.
  if (alsoSuperseded && conflict === 'lww')
    standing = standing.filter(({ dot }) => !alsoSuperseded.has(dot) || holds(view.versions, dot))
  const isStale = conflict === 'lww' && arriving.length === 0 && view.versions.length > 0
  const { versions, deadTags } = isStale
    ? {
        versions: standing,
        deadTags: uniteDeadTags(uniteDeadTags(mine.deadTags, view.deadTags), deadTagsOf(view.versions, false)),
      }
    : meet(standing, mineKnows, arriving, theirsKnow, tags, conflict)

  const received: Dot[] = []
  const refused: Dot[] = []
  let stored = false
  for (const { dot } of view.versions) {
    if (!holds(versions, dot)) refused.push(dot)
    if (clock.has(dot)) continue
    received.push(dot)
    if (!mineKnows.has(dot)) stored = true
  }
  const past = pastAfter(mine.past, view.seen, clock, received)
  const next: KeyRecord = { versions, past, span: spanAfter(mine, view.seen, versions), deadTags }
  const kept = isVacant(next) ? null : next
  return { record: kept, received, stored, refused, changed: received.length > 0 || !sameRecord(record, kept) }
}

function refusedAll({ versions }: View): Merged {
  return { record: null, received: [], stored: false, refused: versions.map(({ dot }) => dot), changed: false }
}

/** (past ∪ seen) ∖ K, where K has what is received with this merge. */
function pastAfter(past: DotSet, seen: DotSet, clock: DotSet, received: readonly Dot[]): DotSet {
  const [dot] = received
  // What a context names has nearly always come here before.
  if (past.isEmpty && dot !== undefined && seen.isSubsetWith(clock, dot)) return NO_DOTS
  const rest = seen.subtract(clock)
  if (!past.isEmpty) rest.addAll(past.subtract(clock))
  for (const dot of received) rest.remove(dot)
  return rest
}

/** Null where the span says no more than the versions themselves, as it is for a key that one life overwrites again and again. */
function spanAfter(mine: KeyRecord, seen: DotSet, versions: readonly Version[]): Span | null {
  const span = spanOf(mine).raised(seen.tops())
  for (let i = 0; i < span.lives.length; i++) {
    if (!isTop(versions, span.lives[i] as Life, span.tops[i] as number)) return span
  }
  return null
}

function isTop(versions: readonly Version[], life: Life, top: number): boolean {
  for (const { dot } of versions) if (dot.counter === top && dot.life === life) return true
  return false
}

function sameRecord(a: KeyRecord | undefined, b: KeyRecord | null): boolean {
  if (!a || !b) return !a && !b
  return (
    a.versions.length === b.versions.length &&
    a.versions.every((v, i) => sameDot(v.dot, (b.versions[i] as Version).dot)) &&
    spanOf(a).equals(spanOf(b)) &&
    a.past.equals(b.past) &&
    sameDeadTags(a.deadTags, b.deadTags)
  )
}

/**
 * Shrinks a record to what is still needed: the span to the versions' own dots once every home's reported clock (`stable`, their
 * intersection) has the whole context, and the past to what the own clock lacks. Returns the same object when nothing shrinks, null
 * when nothing is left. `forgetTagsBeforeMs`: earlier dead tags, in a record that is stable, are forgotten.
 * That every home has the versions alone is not enough: what a version with a dead tag, or the loser of last-writer-wins, had
 * superseded is in the context, and in the past of no version that is still held.
 */
export function strip(record: KeyRecord, clock: DotSet, stable: DotSet, forgetTagsBeforeMs: number): KeyRecord | null {
  if (record.span === null && record.past.isEmpty && record.deadTags.length === 0) return record
  const past = record.past.subtract(clock)
  const settled = record.versions.every((v) => stable.has(v.dot)) && contextOf(record, clock).isSubsetOf(stable)
  const deadTags =
    settled && past.isEmpty ? tagsSince(record.deadTags, hybridFromMs(forgetTagsBeforeMs)) : record.deadTags
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
 * covers the record's whole context (`stable`): then no copy of what they superseded can arrive as news anywhere. Another attempt of an
 * idempotent write can: its tag stays behind, dead.
 * Returns the same object when there is nothing to collect.
 */
export function collect(
  record: KeyRecord,
  clock: DotSet,
  stable: DotSet,
  isSpent: (version: Version) => boolean,
): KeyRecord | null {
  // Attempts of one write go together: the tag of the first to go would kill the others before their time.
  const spent = writesOf(record.versions).flatMap(({ write, attempts }) => (isSpent(write) ? attempts : NO_VERSIONS))
  if (spent.length === 0) return record
  if (!record.past.subtract(clock).isEmpty) return record
  if (!contextOf(record, clock).isSubsetOf(stable)) return record
  const next: KeyRecord = {
    ...record,
    past: NO_DOTS,
    versions: record.versions.filter((version) => !spent.includes(version)),
    span: spanOf(record),
    deadTags: uniteDeadTags(record.deadTags, deadTagsOf(spent, true)),
  }
  return isVacant(next) ? null : next
}

// ── bytes: of a steady record as steady-record.ts says; of any other: flags | lives | [span] | [past] | [dead tags] | versions ───────────────────────────────────────────────────────────────

const SPAN = 1
const PAST = 2
const DEAD_TAGS = 4

const scratch = new ByteWriter()

/** The form on disk, in one piece. */
export function encodeRecord(record: KeyRecord): Buffer {
  write(record)
  return scratch.take()
}

/** The same; a large value that it ends with stays where it is, and must not change any more. */
export function splitRecord(record: KeyRecord): Buffer | Split {
  write(record)
  return scratch.takeSplit()
}

function write(record: KeyRecord): void {
  const { versions, past, span, deadTags } = record
  const writer = scratch
  writer.begin()
  const [only] = versions
  if (only && versions.length === 1 && !span && past.isEmpty && deadTags.length === 0 && isSteady(only)) {
    encodeSteady(writer, only)
    return
  }
  writer.u8((span ? SPAN : 0) | (past.isEmpty ? 0 : PAST) | (deadTags.length > 0 ? DEAD_TAGS : 0))
  const lives = livesOf(record)
  writer.varint(lives.length)
  for (const life of lives) writer.life(life)
  if (span && lives === span.lives) for (const top of span.tops) writer.varint(top)
  else if (span) for (const life of lives) writer.varint(span.top(life))
  if (!past.isEmpty) past.encode(writer)
  if (deadTags.length > 0) encodeDeadTags(writer, deadTags, lives)
  encodeVersions(writer, versions, lives)
}

/** The table that versions and span refer to: every life of the versions and of the span, in order. */
function livesOf({ versions, span }: KeyRecord): Lives {
  const [first] = versions
  if (first && versions.length === 1 && span === null) return [first.dot.life]
  if (span && areAmong(versions, span.lives)) return span.lives
  return [...new Set([...(span?.lives ?? []), ...versions.map(({ dot }) => dot.life)])].sort()
}

const decodedLives: Life[] = []

function areAmong(versions: readonly Version[], lives: Lives): boolean {
  for (const { dot } of versions) if (placeOf(lives, dot.life) < 0) return false
  return true
}

/** Throws `MalformedBytes`; values are views on the input. */
export function decodeRecord(bytes: Uint8Array | Split): KeyRecord {
  const reader = new ByteReader(bytes)
  const flags = reader.u8()
  if (flags >= STEADY) return { versions: [decodeSteady(flags, reader)], past: NO_DOTS, span: null, deadTags: NO_TAGS }
  if (flags > (SPAN | PAST | DEAD_TAGS)) throw new MalformedBytes('unknown record flags')
  const count = reader.count(LIFE_BYTES)
  for (let i = 0; i < count; i++) {
    const life = reader.life()
    if (i > 0 && life <= (decodedLives[i - 1] as Life)) throw new MalformedBytes('lives out of order')
    decodedLives[i] = life
  }
  const lives = sharedLives(decodedLives, count)
  const span = flags & SPAN ? decodeSpan(reader, lives) : null
  const past = flags & PAST ? DotSet.decode(reader) : NO_DOTS
  const deadTags = flags & DEAD_TAGS ? decodeDeadTags(reader, lives) : NO_TAGS
  const versions = decodeVersions(reader, lives)
  reader.end()
  return { versions, past, span, deadTags }
}

/** The dot of the one version of a steady record; null where the bytes have another form, or none. */
export function ownDotOf(bytes: Uint8Array | Split): Dot | null {
  if (!looksSteady(bytes instanceof Split ? bytes.head : bytes)) return null
  const reader = new ByteReader(bytes)
  reader.u8()
  return decodeDot(reader)
}

/** A counter for each life of the table; 0 where the life is in the table for a version only. */
function decodeSpan(reader: ByteReader, lives: Lives): Span {
  const tops: number[] = []
  for (let i = 0; i < lives.length; i++) tops.push(reader.varint())
  if (!tops.includes(0)) return new Span(lives, tops)
  return new Span(
    lives.filter((_, i) => tops[i] !== 0),
    tops.filter((top) => top !== 0),
  )
}
