// Attempts: versions that carry the tag of an idempotent write, and what is left of them when they go. A client that retries on another
// node makes another version; the tag says that both are one write, to homes that merge them and to whom they are shown.
// Invariant: dead tags are in order of id, then dot, each once; tags of one write are remembered and forgotten together.

import { type ByteReader, type ByteWriter, MalformedBytes } from '../bytes.ts'
import { compareDots, type Dot } from './dot.ts'
import { hybridFromMs, type HybridTime } from './hybrid-clock.ts'
import { type Lives, placeOf } from './lives.ts'
import { isLive, type Mark, type Version } from './version.ts'

/**
 * What is left of an attempt of an idempotent write that was superseded (or collected): other attempts of the same write are dropped on
 * arrival, and a client that retries is told of this one.
 */
export interface DeadTag extends Mark {
  /** The attempt, its stamp, and what its tag said. */
  readonly dot: Dot
  readonly stamp: HybridTime
  readonly replaces: boolean
}

/** What is left of a version with a tag when it goes; null without one. */
export function deadTagOf({ tag, dot, stamp }: Version): DeadTag | null {
  return tag && { id: tag.id, fingerprint: tag.fingerprint, dot, stamp, replaces: tag.replaces }
}

/** How long a client may retry an idempotent write. After that the same key names another write. */
export const IDEMPOTENCY_WINDOW_MS: number = 24 * 3600 * 1000

/** So many attempts of one key are remembered, the latest ones: a key that is written without end must not grow without end. */
export const DEAD_TAGS_MAX = 1024

const WINDOW: HybridTime = hybridFromMs(IDEMPOTENCY_WINDOW_MS)

const NO_TAGS: readonly DeadTag[] = []

/** A mark, and when it was used: an attempt, living or dead. */
interface Used extends Mark {
  readonly stamp: HybridTime
}

/** Whether a client that uses the key at both times means one write; if the bodies differ, by mistake. */
export function isSameKey(a: Used, b: Used): boolean {
  return a.id === b.id && Math.abs(a.stamp - b.stamp) <= WINDOW
}

/** Whether both are attempts of one write. */
function isSameWrite(a: Used, b: Used): boolean {
  return isSameKey(a, b) && a.fingerprint === b.fingerprint
}

/** Until when the key names the same write as at that use. */
export function endOfUse({ stamp }: Used): HybridTime {
  return stamp + WINDOW
}

/** The mark of a version with its time; null without one. */
export function usedBy({ tag, stamp }: Version): Used | null {
  return tag && { id: tag.id, fingerprint: tag.fingerprint, stamp }
}

/** Whether two versions are attempts of one idempotent write. */
export function areTwins(a: Version, b: Version): boolean {
  if (a.tag === null || a.tag.id !== b.tag?.id) return false
  return a.tag.fingerprint === b.tag.fingerprint && Math.abs(a.stamp - b.stamp) <= WINDOW
}

/** What dies with its tag leaves that tag too, and may take others along: else it would depend on which of them came first. */
export function withoutDoomed(
  survivors: readonly Version[],
  deadTags: readonly DeadTag[],
): { readonly versions: readonly Version[]; readonly deadTags: readonly DeadTag[] } {
  if (deadTags.length === 0 || !areTagged(survivors)) return { versions: survivors, deadTags }
  const doomed = survivors.filter((version) => isDoomed(version, deadTags))
  if (doomed.length === 0) return { versions: survivors, deadTags }
  return withoutDoomed(
    survivors.filter((version) => !doomed.includes(version)),
    uniteDeadTags(deadTags, NO_TAGS, doomed),
  )
}

/**
 * Not an attempt whose context saw a dead one, or what came after it: what it superseded would be lost with it. (Its client repeats a
 * write that it has seen replaced, where nobody knows better; that is a new one.) The earliest that died decides: those that died of its
 * tag may be later than what replaced it, and where they are known so is the tag that they died of.
 */
export function isDoomed(version: Version, deadTags: readonly DeadTag[]): boolean {
  const used = usedBy(version)
  if (used === null) return false
  const basis = version.tag?.basis ?? 0
  let earliest = -1
  for (const dead of deadTags)
    if (isSameWrite(used, dead) && (earliest < 0 || dead.stamp < earliest)) earliest = dead.stamp
  return basis < earliest
}

/** Whether one of them is an attempt. */
function areTagged(versions: readonly Version[]): boolean {
  for (const { tag } of versions) if (tag !== null) return true
  return false
}

/** Tags die by supersession and stay dead. */
export function uniteDeadTags(
  a: readonly DeadTag[],
  b: readonly DeadTag[],
  superseded: readonly Version[],
): readonly DeadTag[] {
  if ((a.length === 0 || b.length === 0) && !areTagged(superseded)) return a.length === 0 ? b : a
  const all = [...a, ...b]
  for (const version of superseded) {
    const tag = deadTagOf(version)
    if (tag) all.push(tag)
  }
  const each = all
    .sort(compareDeadTags)
    .filter((tag, i) => i === 0 || compareDeadTags(all[i - 1] as DeadTag, tag) !== 0)
  if (each.length <= DEAD_TAGS_MAX) return each
  // The greatest of a union are among the greatest of its parts: still it does not matter who meets whom first.
  const kept = each.toSorted((x, y) => y.stamp - x.stamp || compareDeadTags(x, y)).slice(0, DEAD_TAGS_MAX)
  return kept.sort(compareDeadTags)
}

/**
 * Of each tag when an attempt of its write was last made. Tags of one write are remembered and forgotten by this, together: of a later
 * one alone nobody could tell which attempts the first had doomed.
 */
export function lastUses(tags: readonly DeadTag[]): readonly HybridTime[] {
  return tags.map((tag, at) => {
    let last = tag.stamp
    // In order of id.
    for (const step of [-1, 1])
      for (let i = at + step, other = tags[i]; other?.id === tag.id; i += step, other = tags[i])
        if (isSameWrite(tag, other) && other.stamp > last) last = other.stamp
    return last
  })
}

export function tagsUsedSince(tags: readonly DeadTag[], since: HybridTime): readonly DeadTag[] {
  const uses = lastUses(tags)
  return tags.filter((_, i) => (uses[i] as number) >= since)
}

function compareDeadTags(a: DeadTag, b: DeadTag): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : compareDots(a.dot, b.dot)
}

/** Whether both name the same attempts. */
export function sameDeadTags(a: readonly DeadTag[], b: readonly DeadTag[]): boolean {
  return a.length === b.length && a.every((tag, i) => compareDeadTags(tag, b[i] as DeadTag) === 0)
}

/** What its attempts are to a client. */
interface OneWrite {
  /** With the least dot, and the first deadline: else what has expired would live again by a retry which a partition kept away. */
  readonly write: Version
  readonly attempts: readonly Version[]
}

/** Versions that are attempts of one idempotent write together, any other by itself. */
export function writesOf(versions: readonly Version[]): readonly OneWrite[] {
  const writes: { write: Version; readonly attempts: Version[] }[] = []
  const placesOf = new Map<string, number[]>()
  for (const version of versions) {
    const places = version.tag ? (placesOf.get(version.tag.id) ?? []) : []
    const at = places.find((place) => areTwins((writes[place] as OneWrite).write, version))
    if (at === undefined) {
      if (version.tag) placesOf.set(version.tag.id, [...places, writes.length])
      writes.push({ write: version, attempts: [version] })
      continue
    }
    const one = writes[at] as (typeof writes)[number]
    one.attempts.push(version)
    const { deadlineMs } = version
    if (isBefore(deadlineMs, one.write.deadlineMs)) one.write = { ...one.write, deadlineMs }
  }
  return writes
}

function isBefore(deadlineMs: number | null, other: number | null): boolean {
  return deadlineMs !== null && (other === null || deadlineMs < other)
}

/** Each write once. */
export function withoutTwins(versions: readonly Version[]): readonly Version[] {
  if (versions.length < 2 || !areTagged(versions)) return versions
  return writesOf(versions).map(({ write }) => write)
}

/** What a client sees of them at `nowMs`: neither deletions nor what has expired, and each write once. */
export function liveOf(versions: readonly Version[], nowMs: number): readonly Version[] {
  const writes = withoutTwins(versions)
  return writes.every((version) => isLive(version, nowMs)) ? writes : writes.filter((version) => isLive(version, nowMs))
}

// ── bytes ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** `lives` is the table of the enclosing format, which names nearly all of theirs. */
export function encodeDeadTags(writer: ByteWriter, deadTags: readonly DeadTag[], lives: Lives): void {
  writer.varint(deadTags.length)
  for (const { id, fingerprint, dot, stamp, replaces } of deadTags) {
    writer.hex(id, 8)
    writer.hex(fingerprint, 4)
    const place = Math.max(-1, placeOf(lives, dot.life))
    writer.varint(2 * (place + 1) + (replaces ? 1 : 0))
    if (place < 0) writer.life(dot.life)
    writer.varint(dot.counter)
    writer.varint(stamp)
  }
}

/** Id, fingerprint, and three numbers. */
const DEAD_TAG_BYTES_MIN = 8 + 4 + 3

export function decodeDeadTags(reader: ByteReader, lives: Lives): readonly DeadTag[] {
  const count = reader.count(DEAD_TAG_BYTES_MIN)
  if (count === 0) return NO_TAGS
  const tags: DeadTag[] = []
  for (let i = 0; i < count; i++) {
    const id = reader.hex(8)
    const fingerprint = reader.hex(4)
    const packed = reader.varint()
    const place = Math.floor(packed / 2)
    const life = place === 0 ? reader.life() : lives[place - 1]
    if (life === undefined) throw new MalformedBytes('life out of table')
    if (place === 0 && placeOf(lives, life) >= 0) throw new MalformedBytes('a life beside its table')
    const dot = { life, counter: reader.varint() }
    if (dot.counter === 0) throw new MalformedBytes('counter 0')
    const tag = { id, fingerprint, dot, stamp: reader.varint(), replaces: packed % 2 === 1 }
    if (i > 0 && compareDeadTags(tags[i - 1] as DeadTag, tag) >= 0) throw new MalformedBytes('dead tags out of order')
    tags.push(tag)
  }
  return tags
}
