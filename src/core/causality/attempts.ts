// Attempts: versions that carry the tag of an idempotent write, and what is left of them when they go. A client that retries on another
// node makes another version; the tag says that both are one write, to homes that merge them and to whom they are shown.
// Invariant: dead tags are in order of id, then dot. To forget one lets an attempt live that could go, never one go that should live.

import { type ByteReader, type ByteWriter, MalformedBytes } from '../bytes.ts'
import { compareDots, type Dot } from './dot.ts'
import { hybridFromMs, type HybridTime } from './hybrid-clock.ts'
import { type Lives, placeOf } from './lives.ts'
import { isLive, type Mark, type Version } from './version.ts'

/** What is left of an attempt of an idempotent write that is no more: a client that retries is told of it. */
export interface DeadTag extends Mark {
  /** The attempt, its stamp, and what its tag said. */
  readonly dot: Dot
  readonly stamp: HybridTime
  readonly replaces: boolean
  /**
   * It was superseded under a context that had seen it, or collected: then the others of the write go too. False: it went with one of
   * them, or was found superseded by somebody who cannot tell.
   */
  readonly kills: boolean
}

/** What is left of those of the versions that are attempts when they go. */
export function deadTagsOf(versions: readonly Version[], kills: boolean): readonly DeadTag[] {
  if (!areTagged(versions)) return NO_TAGS
  const tags: DeadTag[] = []
  for (const { tag, dot, stamp } of versions)
    if (tag) tags.push({ id: tag.id, fingerprint: tag.fingerprint, dot, stamp, replaces: tag.replaces, kills })
  return latestTags(tags.sort(compareDeadTags), DEAD_TAGS_MAX)
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
  const [one, other] = [usedBy(a), usedBy(b)]
  return one !== null && other !== null && isSameWrite(one, other)
}

/**
 * Not an attempt whose context may have seen the dead one, or what came after it: what it superseded would be lost with it. (Its client
 * repeats a write that it has seen replaced, where nobody knows better; that is a new one.) Nothing is lost so: whatever a doomed attempt
 * superseded is older than the dead one, whose successor's context is not; so it goes on from stamp to greater stamp until something lives.
 */
export function isDoomed(version: Version, deadTags: readonly DeadTag[]): boolean {
  const used = usedBy(version)
  if (used === null) return false
  const basis = version.tag?.basis ?? 0
  return deadTags.some((dead) => dead.kills && basis < dead.stamp && isSameWrite(used, dead))
}

function areTagged(versions: readonly Version[]): boolean {
  for (const { tag } of versions) if (tag !== null) return true
  return false
}

/** The union; one that kills in either kills. Beyond `DEAD_TAGS_MAX` the earliest are forgotten. */
export function uniteDeadTags(a: readonly DeadTag[], b: readonly DeadTag[]): readonly DeadTag[] {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a
  const each: DeadTag[] = []
  for (const tag of [...a, ...b].sort(compareDeadTags)) {
    const last = each.at(-1)
    if (last === undefined || compareDeadTags(last, tag) !== 0) each.push(tag)
    else if (tag.kills && !last.kills) each[each.length - 1] = tag
  }
  // The greatest of a union are among the greatest of its parts: it does not matter who meets whom first.
  return latestTags(each, DEAD_TAGS_MAX)
}

/** Some `max` with the greatest stamps. */
export function latestTags(tags: readonly DeadTag[], max: number): readonly DeadTag[] {
  if (tags.length <= max) return tags
  const kept = tags.toSorted((x, y) => y.stamp - x.stamp || compareDeadTags(x, y)).slice(0, max)
  return kept.sort(compareDeadTags)
}

export function tagsSince(tags: readonly DeadTag[], since: HybridTime): readonly DeadTag[] {
  return tags.every(({ stamp }) => stamp >= since) ? tags : tags.filter(({ stamp }) => stamp >= since)
}

function compareDeadTags(a: DeadTag, b: DeadTag): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : compareDots(a.dot, b.dot)
}

/** Whether both say the same of the same attempts. */
export function sameDeadTags(a: readonly DeadTag[], b: readonly DeadTag[]): boolean {
  const isSame = (tag: DeadTag, other: DeadTag): boolean =>
    compareDeadTags(tag, other) === 0 && tag.kills === other.kills
  return a.length === b.length && a.every((tag, i) => isSame(tag, b[i] as DeadTag))
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

/** `lives` is the table of the enclosing format, which names nearly all of theirs; places beyond it are those of tags that do not kill. */
export function encodeDeadTags(writer: ByteWriter, deadTags: readonly DeadTag[], lives: Lives): void {
  writer.varint(deadTags.length)
  for (const { id, fingerprint, dot, stamp, replaces, kills } of deadTags) {
    writer.hex(id, 8)
    writer.hex(fingerprint, 4)
    const place = Math.max(-1, placeOf(lives, dot.life)) + 1
    writer.varint(2 * (kills ? place : lives.length + 1 + place) + (replaces ? 1 : 0))
    if (place === 0) writer.life(dot.life)
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
    const kills = Math.floor(packed / 2) <= lives.length
    const place = Math.floor(packed / 2) - (kills ? 0 : lives.length + 1)
    const life = place === 0 ? reader.life() : lives[place - 1]
    if (life === undefined) throw new MalformedBytes('life out of table')
    if (place === 0 && placeOf(lives, life) >= 0) throw new MalformedBytes('a life beside its table')
    const dot = { life, counter: reader.varint() }
    if (dot.counter === 0) throw new MalformedBytes('counter 0')
    const tag = { id, fingerprint, dot, stamp: reader.varint(), replaces: packed % 2 === 1, kills }
    if (i > 0 && compareDeadTags(tags[i - 1] as DeadTag, tag) >= 0) throw new MalformedBytes('dead tags out of order')
    tags.push(tag)
  }
  return tags
}
