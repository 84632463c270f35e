// A view is what somebody knows of one key: the versions it holds and every dot it has seen, themselves included. It is the only
// thing that travels between replicas, always whole: one sibling sent with the whole `seen` would make the receiver drop the others.
// Invariant: `seen`, restricted to the key's own dots, is causally closed and contains the dots of `versions`, which are its maxima.
// The union of such sets keeps the invariant; every rule of merging below is that union.

import { ByteReader, ByteWriter, MalformedBytes, type Split } from '../bytes.ts'
import { type DeadTag, deadTagsOf, decodeDeadTags, encodeDeadTags, isDoomed, uniteDeadTags } from './attempts.ts'
import { compareDots, type Life, sameDot } from './dot.ts'
import { DotSet } from './dot-set.ts'
import { compareByStamp, decodeVersion, encodeVersion, type Version } from './version.ts'

/** How concurrent versions meet: kept side by side, or the greatest (stamp, dot) wins. Fixed for each bucket. */
export type Conflict = 'siblings' | 'lww'

export interface View {
  /** In dot order. */
  readonly versions: readonly Version[]
  readonly seen: DotSet
  /** In order of id, then dot. */
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
  if (conflict === 'lww') return meetLastWriterWins(mine, mineKnows, theirs, theirsKnow, deadTags)
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
  const dead = uniteDeadTags(uniteDeadTags(deadTags.mine, deadTags.theirs), deadTagsOf(superseded, false))
  const doomed = dead.length > 0 ? survivors.filter((version) => isDoomed(version, dead)) : NONE
  if (doomed.length === 0) return { versions: survivors, superseded, deadTags: dead }
  const versions = survivors.filter((version) => !doomed.includes(version))
  return { versions, superseded, deadTags: uniteDeadTags(dead, deadTagsOf(doomed, false)) }
}

const NONE: readonly Version[] = []

/** Up to so many, looking at one after the other is faster than halving. */
const FEW = 16

/** `versions` are in dot order. */
export function holds(versions: readonly Version[], dot: Version['dot']): boolean {
  if (versions.length <= FEW) {
    for (const version of versions) if (sameDot(version.dot, dot)) return true
    return false
  }
  let low = 0
  let high = versions.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareDots((versions[middle] as Version).dot, dot) < 0) low = middle + 1
    else high = middle
  }
  const found = versions[low]
  return found !== undefined && sameDot(found.dot, dot)
}

function meetLastWriterWins(
  mine: readonly Version[],
  mineKnows: Knowledge,
  theirs: readonly Version[],
  theirsKnow: Knowledge,
  deadTags: { readonly mine: readonly DeadTag[]; readonly theirs: readonly DeadTag[] },
): Meeting {
  const all = [...mine, ...theirs]
  let versions: readonly Version[]
  if (mine.length > 0 && theirs.length > 0)
    versions = [all.reduce((best, v) => (compareByStamp(v, best) > 0 ? v : best))]
  else if (mine.length > 0) versions = mine.filter((v) => !theirsKnow.has(v.dot))
  else versions = theirs.filter((v) => !mineKnows.has(v.dot))
  const superseded = all.filter((v) => !holds(versions, v.dot))
  // They tell a retry what became of its write. Nothing dies of them: with the greatest stamp as the other rule there would be a cycle.
  const dead = uniteDeadTags(deadTags.mine, deadTags.theirs)
  return { versions, superseded, deadTags: uniteDeadTags(dead, deadTagsOf(superseded, false)) }
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

// ── bytes: seen | dead tags | versions; a version's life is an index into the lives of `seen` ────────────────────────────────────

const scratch = new ByteWriter()

/** In one piece. */
export function encodeView(view: View): Buffer {
  write(view)
  return scratch.take()
}

/** The same; a large value that it ends with stays where it is, and must not change any more. */
export function splitView(view: View): Buffer | Split {
  write(view)
  return scratch.takeSplit()
}

function write(view: View): void {
  const writer = scratch
  writer.begin()
  view.seen.encode(writer)
  encodeDeadTags(writer, view.deadTags, view.seen.lives())
  encodeVersions(writer, view.versions, view.seen.lives())
}

/** Throws `MalformedBytes`; values are views on the input. */
export function decodeView(bytes: Uint8Array | Split): View {
  const reader = new ByteReader(bytes)
  const seen = DotSet.decode(reader)
  const deadTags = decodeDeadTags(reader, seen.lives())
  const versions = decodeVersions(reader, seen.lives())
  reader.end()
  for (const { dot } of versions) if (!seen.has(dot)) throw new MalformedBytes('a version outside what was seen')
  return { versions, seen, deadTags }
}

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
