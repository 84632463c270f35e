// Whether a read has met R: a reducer over what each replica answered (after riak_kv's get_core and etcd's quorum).
// Knows nothing of time, values or causality: the caller merges replies and says whether anything live came of it.
// Invariants: one replica counts once; a filling home counts in no R; "not found" is said only on the word of complete
// homes, so a fallback counts only toward a live value, which it need not itself have.

export interface ReadTerms {
  /** The N homes. */
  readonly homes: readonly string[]
  /** Who may stand in, in order; only consulted when `sloppy`. */
  readonly fallbacks: readonly string[]
  /** R, 1..N. */
  readonly required: number
  readonly sloppy: boolean
}

export type ReadEvent<Reason extends string = string> =
  | { readonly type: 'sent'; readonly replica: string }
  /** A home's answer. */
  | { readonly type: 'answered'; readonly replica: string; readonly filling: boolean }
  /** A fallback's answer from its hints, empty or not. */
  | { readonly type: 'stood-in'; readonly replica: string }
  | { readonly type: 'refused'; readonly replica: string; readonly reason: Reason }
  /** Time-out, broken connection, or a read error there: an error is never "not found". */
  | { readonly type: 'failed'; readonly replica: string }
  | { readonly type: 'unreachable'; readonly replica: string }
  /** No more is awaited. */
  | { readonly type: 'deadline' }

type ReadState =
  | 'in-flight'
  | 'unreachable'
  | 'refused'
  | 'failed'
  | 'filling' // a home that is not complete
  | 'stood-in' // a fallback's answer
  | 'complete' // a complete home's answer

interface ReadEntry<Reason> {
  readonly replica: string
  readonly state: ReadState
  readonly reason: Reason | null
}

export interface ReadTally<Reason extends string = string> {
  readonly terms: ReadTerms
  readonly closed: boolean
  readonly replicas: readonly ReadEntry<Reason>[]
}

export interface ReadCounts {
  /** Who counts toward R: complete homes first, then fallbacks in order of their answers, never more than N in all. */
  readonly counted: readonly string[]
  readonly homes: number
  readonly standIns: number
  /** For the receipt: all answers, also those that count in no R. */
  readonly replied: number
}

export type ReadVerdict<Reason extends string = string> =
  | { readonly state: 'pending'; readonly counts: ReadCounts }
  | { readonly state: 'met'; readonly counts: ReadCounts }
  /** `reason`: where all that were asked refused for one reason. */
  | { readonly state: 'lost'; readonly counts: ReadCounts; readonly reason: Reason | null }

export function beginRead<Reason extends string = string>(terms: ReadTerms): ReadTally<Reason> {
  return { terms, closed: false, replicas: [] }
}

/** Events of strangers are ignored, and so is all that follows a replica's answer. */
export function tallyRead<Reason extends string>(
  tally: ReadTally<Reason>,
  event: ReadEvent<Reason>,
): ReadTally<Reason> {
  if (event.type === 'deadline') return { terms: tally.terms, closed: true, replicas: tally.replicas }
  const { homes, fallbacks } = tally.terms
  const isHome = homes.includes(event.replica)
  const belongs =
    event.type === 'answered'
      ? isHome
      : event.type === 'stood-in'
        ? fallbacks.includes(event.replica)
        : isHome || fallbacks.includes(event.replica)
  if (!belongs) return tally
  const state = stateAfter(event)
  const index = indexOf(tally, event.replica)
  const before = tally.replicas[index]
  // A second answer counts where it can do what the first could not: the home has become complete.
  const completes = state === 'complete' && before?.state === 'filling'
  if (before !== undefined && isAnswer(before.state) && !completes) return tally
  const replicas = tally.replicas.slice()
  replicas[before === undefined ? replicas.length : index] = {
    replica: event.replica,
    state,
    reason: event.type === 'refused' ? event.reason : null,
  }
  return { terms: tally.terms, closed: tally.closed, replicas }
}

function indexOf({ replicas }: ReadTally, name: string): number {
  for (let index = 0; index < replicas.length; index++) if (replicas[index]?.replica === name) return index
  return -1
}

/** `live`: whether the merge of all answers so far leaves a live value; without one, fallbacks count for nothing. */
export function readVerdict<Reason extends string>(tally: ReadTally<Reason>, live: boolean): ReadVerdict<Reason> {
  const counts = readCounts(tally, live)
  if (counts.counted.length >= tally.terms.required) return { state: 'met', counts }
  if (!tally.closed && mostPossible(tally, live) >= tally.terms.required) return { state: 'pending', counts }
  const asked = tally.replicas.filter(({ state }) => state !== 'unreachable')
  const [first] = asked
  const unanimous = asked.every(({ state, reason }) => state === 'refused' && reason === first?.reason)
  return { state: 'lost', counts, reason: unanimous ? (first?.reason ?? null) : null }
}

export function readCounts(tally: ReadTally, live: boolean): ReadCounts {
  const counted: string[] = []
  let replied = 0
  let standIns = 0
  for (const { replica, state } of tally.replicas) {
    if (state === 'complete') counted.push(replica)
    if (state === 'stood-in') standIns++
    if (isAnswer(state)) replied++
  }
  const homes = counted.length
  if (standIns > 0 && tally.terms.sloppy && live) {
    const most = homes + placesOfAbsent(tally)
    for (const { replica, state } of tally.replicas) {
      if (state === 'stood-in' && counted.length < most) counted.push(replica)
    }
  }
  return { counted, homes, standIns: counted.length - homes, replied }
}

/** How many more replies the read needs: what `readVerdict` compares, without the names. */
export function repliesMissing(tally: ReadTally, live: boolean): number {
  let complete = 0
  let standIns = 0
  for (const { state } of tally.replicas) {
    if (state === 'complete') complete++
    else if (state === 'stood-in') standIns++
  }
  const counted =
    standIns > 0 && tally.terms.sloppy && live ? complete + Math.min(standIns, placesOfAbsent(tally)) : complete
  return Math.max(0, tally.terms.required - counted)
}

/**
 * Homes that fallbacks may stand in for: those that did not answer. A filling home is there, so nobody stands in for
 * it.
 */
function placesOfAbsent(tally: ReadTally): number {
  let places = tally.terms.homes.length
  for (const { state } of tally.replicas) if (state === 'complete' || state === 'filling') places--
  return places
}

function mostPossible(tally: ReadTally, live: boolean): number {
  const { homes, fallbacks, sloppy } = tally.terms
  let openHomes = 0
  let complete = 0
  for (const home of homes) {
    const state = stateOf(tally, home)
    if (isOpen(state)) openHomes++
    else if (state === 'complete') complete++
  }
  if (!sloppy) return complete + openHomes
  let openFallbacks = 0
  let stoodIn = 0
  for (const fallback of fallbacks) {
    const state = stateOf(tally, fallback)
    if (isOpen(state)) openFallbacks++
    else if (state === 'stood-in') stoodIn++
  }
  // An answer still to come may bring the live value that lets fallbacks count.
  if (!live && openHomes + openFallbacks === 0) return complete
  return complete + openHomes + Math.min(placesOfAbsent(tally) - openHomes, stoodIn + openFallbacks)
}

function stateOf(tally: ReadTally, name: string): ReadState | undefined {
  return tally.replicas[indexOf(tally, name)]?.state
}

function isOpen(state: ReadState | undefined): boolean {
  return state === undefined || state === 'in-flight'
}

function stateAfter(event: Exclude<ReadEvent, { type: 'deadline' }>): ReadState {
  switch (event.type) {
    case 'sent':
      return 'in-flight'
    case 'answered':
      return event.filling ? 'filling' : 'complete'
    default:
      return event.type
  }
}

function isAnswer(state: ReadState): boolean {
  return state === 'complete' || state === 'filling' || state === 'stood-in'
}
