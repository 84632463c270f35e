// A view is what somebody knows of one key: the versions it holds and every dot it has seen, themselves included. It is the only
// thing that travels between replicas, always whole: one sibling sent with the whole `seen` would make the receiver drop the others.
// Invariant: `seen`, restricted to the key's own dots, is causally closed and contains the dots of `versions`, which are its maxima.
// The union of such sets keeps the invariant; every rule of merging below is that union.

import { ByteReader, ByteWriter, MalformedBytes } from '../bytes.ts'
import { compareDots, type Dot, type Life, sameDot } from './dot.ts'
import { DotSet } from './dot-set.ts'
import { msFromHybrid } from './hybrid-clock.ts'
import { compareByStamp, decodeVersion, encodeVersion, type Tag, type Version } from './version.ts'

/** How concurrent versions meet: kept side by side, or the greatest (stamp, dot) wins. Fixed for each bucket. */
export type Conflict = 'siblings' | 'lww'

/**
 * A tag that was superseded (or collected) once is so everywhere: later attempts of the same write are dropped on arrival, and a client
 * that retries is told of the attempt that there was.
 */
export interface DeadTag extends Tag {
  /** The attempt that stands for the write: the earliest that is known to have died. */
  readonly dot: Dot
  /** When that was made, in milliseconds since the epoch; the client's retry window counts from here. */
  readonly atMs: number
}

/** What is left of a version with a tag when it goes; null without one. */
export function deadTagOf({ tag, dot, stamp }: Version): DeadTag | null {
  return tag && { ...tag, dot, atMs: msFromHybrid(stamp) }
}

/** How long a client may retry an idempotent write. */
export const IDEMPOTENCY_WINDOW_MS: number = 24 * 3600 * 1000

/** A total order, so that whoever meets whom first, all keep the same. */
function compareDeaths(a: DeadTag, b: DeadTag): number {
  return (
    a.atMs - b.atMs ||
    compareDots(a.dot, b.dot) ||
    (a.fingerprint < b.fingerprint ? -1 : a.fingerprint > b.fingerprint ? 1 : 0)
  )
}

export interface View {
  /** In dot order. */
  readonly versions: readonly Version[]
  readonly seen: DotSet
  /** In id order. */
  readonly deadTags: readonly DeadTag[]
}

/** Anything that can say whether it has seen a dot. */
export interface Knowledge {
  has(dot: Version['dot']): boolean
}

export const EMPTY_VIEW: View = { versions: [], seen: DotSet.empty(), deadTags: [] }

/** What is left of two sets of versions when each side's knowledge is applied to the other. */
export interface Meeting {
  /** Survivors, in dot order. */
  readonly versions: readonly Version[]
  /** Those of `mine` and of `theirs` that did not survive because they are superseded. */
  readonly superseded: readonly Version[]
  readonly deadTags: readonly DeadTag[]
}

/**
 * The one merge rule. A version survives when both sides hold it or the other side has not seen it.
 * `siblings`: versions whose tag is dead leave too. `lww`: of the two sides' versions the greatest (stamp, dot) survives where both
 * hold one; stamps extend causality (a new stamp is later than any that its context saw), so this never contradicts it.
 */
export function meet(
  mine: readonly Version[],
  mineKnows: Knowledge,
  theirs: readonly Version[],
  theirsKnow: Knowledge,
  deadTags: { readonly mine: readonly DeadTag[]; readonly theirs: readonly DeadTag[] },
  conflict: Conflict,
): Meeting {
  if (conflict === 'lww') return meetLastWriterWins(mine, mineKnows, theirs, theirsKnow)
  const survivors: Version[] = []
  const superseded: Version[] = []
  for (const version of mine) {
    if (!theirsKnow.has(version.dot) || holds(theirs, version.dot)) survivors.push(version)
    else superseded.push(version)
  }
  for (const version of theirs) {
    if (holds(mine, version.dot)) continue
    if (!mineKnows.has(version.dot)) survivors.push(version)
    else superseded.push(version)
  }
  if (survivors.length > 1) survivors.sort((a, b) => compareDots(a.dot, b.dot))
  const dead = uniteDeadTags(deadTags.mine, deadTags.theirs, superseded)
  if (dead.length === 0) return { versions: survivors, superseded, deadTags: dead }
  const isDoomed = ({ tag }: Version): boolean => tag !== null && isDead(dead, tag.id)
  const doomed = survivors.filter(isDoomed)
  if (doomed.length === 0) return { versions: survivors, superseded, deadTags: dead }
  // They count for the time of death like superseded ones: else it would depend on which of the two came first.
  return {
    versions: survivors.filter((version) => !isDoomed(version)),
    superseded,
    deadTags: uniteDeadTags(dead, [], doomed),
  }
}

function holds(versions: readonly Version[], dot: Version['dot']): boolean {
  for (const version of versions) if (sameDot(version.dot, dot)) return true
  return false
}

function meetLastWriterWins(
  mine: readonly Version[],
  mineKnows: Knowledge,
  theirs: readonly Version[],
  theirsKnow: Knowledge,
): Meeting {
  const all = [...mine, ...theirs]
  let versions: readonly Version[]
  if (mine.length > 0 && theirs.length > 0)
    versions = [all.reduce((best, v) => (compareByStamp(v, best) > 0 ? v : best))]
  else if (mine.length > 0) versions = mine.filter((v) => !theirsKnow.has(v.dot))
  else versions = theirs.filter((v) => !mineKnows.has(v.dot))
  const superseded = all.filter((v) => !holds(versions, v.dot))
  return { versions, superseded, deadTags: [] }
}

function isDead(deadTags: readonly DeadTag[], id: string): boolean {
  return deadTags.some((tag) => tag.id === id)
}

function areTagged(versions: readonly Version[]): boolean {
  for (const { tag } of versions) if (tag !== null) return true
  return false
}

/** Tags die by supersession and stay dead; the earlier death counts. */
export function uniteDeadTags(
  a: readonly DeadTag[],
  b: readonly DeadTag[],
  superseded: readonly Version[],
): readonly DeadTag[] {
  if ((a.length === 0 || b.length === 0) && !areTagged(superseded)) return a.length === 0 ? b : a
  const byId = new Map<string, DeadTag>()
  const note = (tag: DeadTag): void => {
    const known = byId.get(tag.id)
    if (known === undefined || compareDeaths(tag, known) < 0) byId.set(tag.id, tag)
  }
  for (const tag of a) note(tag)
  for (const tag of b) note(tag)
  for (const version of superseded) {
    const tag = deadTagOf(version)
    if (tag) note(tag)
  }
  return [...byId.values()].sort((x, y) => (x.id < y.id ? -1 : 1))
}

/** The union of two views. Commutative, associative, idempotent. */
export function mergeViews(a: View, b: View, conflict: Conflict): View {
  const { versions, deadTags } = meet(
    a.versions,
    a.seen,
    b.versions,
    b.seen,
    { mine: a.deadTags, theirs: b.deadTags },
    conflict,
  )
  return { versions, seen: a.seen.union(b.seen), deadTags }
}

/** What a client's write says: this version, and that it supersedes all that its context saw. */
export function writeView(version: Version, context: DotSet, supersededTags: readonly DeadTag[]): View {
  const seen = context.clone()
  seen.add(version.dot)
  return { versions: [version], seen, deadTags: supersededTags }
}

/** Attempts of one idempotent write show as one: the least dot stands for its tag. */
export function withoutTwins(versions: readonly Version[]): readonly Version[] {
  if (!areTagged(versions)) return versions
  const shown = new Set<string>()
  return versions.filter((v) => {
    if (v.tag === null) return true
    if (shown.has(v.tag.id)) return false
    shown.add(v.tag.id)
    return true
  })
}

// ── bytes: seen | dead tags | versions; a version's life is an index into the lives of `seen` ────────────────────────────────────

const scratch = new ByteWriter()

export function encodeView(view: View): Buffer {
  const writer = scratch
  writer.begin()
  view.seen.encode(writer)
  encodeDeadTags(writer, view.deadTags, view.seen.lives())
  encodeVersions(writer, view.versions, view.seen.lives())
  return writer.take()
}

/** Throws `MalformedBytes`; values are views on the input. */
export function decodeView(bytes: Uint8Array): View {
  const reader = new ByteReader(bytes)
  const seen = DotSet.decode(reader)
  const deadTags = decodeDeadTags(reader, seen.lives())
  const versions = decodeVersions(reader, seen.lives())
  reader.end()
  for (const { dot } of versions) if (!seen.has(dot)) throw new MalformedBytes('a version outside what was seen')
  return { versions, seen, deadTags }
}

/** `lives` is the table of the enclosing format, which names nearly all of theirs. */
export function encodeDeadTags(writer: ByteWriter, deadTags: readonly DeadTag[], lives: readonly Life[]): void {
  writer.varint(deadTags.length)
  for (const { id, fingerprint, dot, atMs } of deadTags) {
    writer.hex(id, 8)
    writer.hex(fingerprint, 8)
    const place = lives.indexOf(dot.life)
    writer.varint(place + 1)
    if (place < 0) writer.life(dot.life)
    writer.varint(dot.counter)
    writer.varint(atMs)
  }
}

/** Id, fingerprint, and three numbers. */
const DEAD_TAG_BYTES_MIN = 8 + 8 + 3

export function decodeDeadTags(reader: ByteReader, lives: readonly Life[]): readonly DeadTag[] {
  const count = reader.count(DEAD_TAG_BYTES_MIN)
  if (count === 0) return NO_TAGS
  const tags: DeadTag[] = []
  for (let i = 0; i < count; i++) {
    const id = reader.hex(8)
    if (i > 0 && id <= (tags[i - 1] as DeadTag).id) throw new MalformedBytes('dead tags out of order')
    const fingerprint = reader.hex(8)
    const place = reader.varint()
    const life = place === 0 ? reader.life() : lives[place - 1]
    if (life === undefined) throw new MalformedBytes('life out of table')
    if (place === 0 && lives.includes(life)) throw new MalformedBytes('a life beside its table')
    const dot = { life, counter: reader.varint() }
    if (dot.counter === 0) throw new MalformedBytes('counter 0')
    tags.push({ id, fingerprint, dot, atMs: reader.varint() })
  }
  return tags
}

const NO_TAGS: readonly DeadTag[] = []

export function encodeVersions(writer: ByteWriter, versions: readonly Version[], lives: readonly Life[]): void {
  writer.varint(versions.length)
  for (const version of versions) encodeVersion(writer, version, lives)
}

export function decodeVersions(reader: ByteReader, lives: readonly Life[]): readonly Version[] {
  const count = reader.count(4)
  if (count === 1) return [decodeVersion(reader, lives)]
  const versions: Version[] = []
  for (let i = 0; i < count; i++) {
    const version = decodeVersion(reader, lives)
    if (i > 0 && compareDots((versions[i - 1] as Version).dot, version.dot) >= 0)
      throw new MalformedBytes('versions out of order')
    versions.push(version)
  }
  return versions
}
