// Whether a write has met W: a reducer over what happened at each replica (after riak_kv's put_core and etcd's quorum).
// Knows nothing of time, sockets or values. Invariants: one replica counts once, whatever it repeats; a verdict of met
// or a `not-applied` is never claimed on less than was heard; a met verdict stays met under further events.
//
// Each home is one slot. Its own acknowledgement fills it, or, when sloppy, one hint held for it by a node that fills
// no other: a hint is removed once delivered, so a home and the hint for it are one copy in the end, never two.

export interface WriteTerms {
  /** The N homes. */
  readonly homes: readonly string[]
  /** Who may hold hints, in order; only consulted when `sloppy`. */
  readonly fallbacks: readonly string[]
  /** W, 1..N. */
  readonly required: number
  readonly sloppy: boolean
  /** Then an acknowledgement counts only if its bytes were synced. */
  readonly durable: boolean
}

export type WriteEvent<Reason extends string = string> =
  /** A request is on its way to this replica; again for a second attempt. */
  | { readonly type: 'sent'; readonly replica: string }
  /** A home merged it (a filling home too). */
  | { readonly type: 'acknowledged'; readonly replica: string; readonly durable: boolean }
  /** A fallback holds it for an absent home. */
  | { readonly type: 'hinted'; readonly replica: string; readonly hintFor: string; readonly durable: boolean }
  /**
   * It said no, and holds nothing of this attempt. `absent`: it is as good as away (not serving, full), so that a
   * hint may stand in for it; otherwise (too many siblings, say) its word is final.
   */
  | { readonly type: 'refused'; readonly replica: string; readonly reason: Reason; readonly absent: boolean }
  /** Time-out or broken connection: it may hold the write. */
  | { readonly type: 'failed'; readonly replica: string }
  /** Nothing was sent to it. */
  | { readonly type: 'unreachable'; readonly replica: string }
  /** No more is sent and no more awaited. */
  | { readonly type: 'deadline' }

type ReplicaState<Reason> =
  | { readonly state: 'in-flight' | 'unreachable' | 'failed' }
  | { readonly state: 'refused'; readonly reason: Reason; readonly absent: boolean }
  | { readonly state: 'acknowledged'; readonly durable: boolean }
  | { readonly state: 'hinted'; readonly hintFor: string; readonly durable: boolean }

type ReplicaEntry<Reason> = ReplicaState<Reason> & {
  readonly replica: string
  /** An attempt failed: whatever comes later, an earlier request may have been received. */
  readonly mayHold: boolean
}

export interface WriteTally<Reason extends string = string> {
  readonly terms: WriteTerms
  readonly closed: boolean
  /** In order of first mention; replicas that nothing is known of are absent. */
  readonly replicas: readonly ReplicaEntry<Reason>[]
}

export interface WriteCounts {
  /** Slots filled: what is compared with W. */
  readonly acknowledged: number
  /** Homes among the replies that count. */
  readonly homes: number
  /** Slots that only a hint fills. */
  readonly standIns: number
  /** For the receipt: acknowledgements of any kind, hints among them, and synced ones. */
  readonly replied: number
  readonly hinted: number
  readonly durable: number
  /** Of homes alone. */
  readonly durableHomes: number
}

export type WriteVerdict<Reason extends string = string> =
  | { readonly state: 'pending'; readonly counts: WriteCounts }
  | { readonly state: 'met'; readonly counts: WriteCounts }
  | {
      readonly state: 'lost'
      readonly counts: WriteCounts
      /** `not-applied`: nothing was sent, or every attempted replica refused. */
      readonly outcome: 'unknown' | 'not-applied'
      /** Why, where all attempted replicas refused for one reason. */
      readonly reason: Reason | null
      /** Every reason given, each once. */
      readonly reasons: readonly Reason[]
    }

export function beginWrite<Reason extends string = string>(terms: WriteTerms): WriteTally<Reason> {
  return { terms, closed: false, replicas: [] }
}

/** Events of strangers are ignored: only homes acknowledge, only fallbacks hint, and only for homes. */
export function tallyWrite<Reason extends string>(
  tally: WriteTally<Reason>,
  event: WriteEvent<Reason>,
): WriteTally<Reason> {
  if (event.type === 'deadline') return { terms: tally.terms, closed: true, replicas: tally.replicas }
  if (!belongs(tally.terms, event)) return tally
  const index = indexOf(tally, event.replica)
  const before = tally.replicas[index]
  const after = next(before, event)
  if (after === before) return tally
  const replicas = tally.replicas.slice()
  replicas[before === undefined ? replicas.length : index] = after
  return { terms: tally.terms, closed: tally.closed, replicas }
}

function indexOf({ replicas }: WriteTally, name: string): number {
  for (let index = 0; index < replicas.length; index++) if (replicas[index]?.replica === name) return index
  return -1
}

export function writeVerdict<Reason extends string>(tally: WriteTally<Reason>): WriteVerdict<Reason> {
  const counts = writeCounts(tally)
  if (counts.acknowledged >= tally.terms.required) return { state: 'met', counts }
  if (!tally.closed && counts.acknowledged + stillPossible(tally) >= tally.terms.required) {
    return { state: 'pending', counts }
  }
  const attempted = tally.replicas.filter(({ state, mayHold }) => mayHold || state !== 'unreachable')
  const refusals = attempted.filter((entry) => entry.state === 'refused')
  const applied = attempted.length > refusals.length
  const reasons = [...new Set(refusals.map(({ reason }) => reason))]
  return {
    state: 'lost',
    counts,
    outcome: applied ? 'unknown' : 'not-applied',
    reason: !applied && reasons.length === 1 ? (reasons[0] ?? null) : null,
    reasons,
  }
}

/** Lost, and yet worth waiting: all that answered so far refused, and whether nothing was applied hangs on those under way. */
export function mayProveNotApplied(tally: WriteTally): boolean {
  const states = tally.replicas.filter(({ state, mayHold }) => mayHold || state !== 'unreachable')
  return (
    !tally.closed &&
    states.some(({ state }) => state === 'refused') &&
    states.some(({ state }) => state === 'in-flight') &&
    states.every(({ state, mayHold }) => state === 'refused' || (state === 'in-flight' && !mayHold))
  )
}

export function writeCounts(tally: WriteTally): WriteCounts {
  const { sloppy, durable: mustBeDurable } = tally.terms
  let homes = 0
  let replied = 0
  let hinted = 0
  let durable = 0
  let durableHomes = 0
  for (const entry of tally.replicas) {
    if (entry.state !== 'acknowledged' && entry.state !== 'hinted') continue
    replied++
    if (entry.state === 'hinted') hinted++
    if (entry.durable) durable++
    if (entry.durable && entry.state === 'acknowledged') durableHomes++
    if (entry.state === 'acknowledged' && (entry.durable || !mustBeDurable)) homes++
  }
  const standIns = sloppy && hinted > 0 ? slotsOfHints(tally) : 0
  return { acknowledged: homes + standIns, homes, standIns, replied, hinted, durable, durableHomes }
}

/** Slots that only hints fill: a home's own word takes its slot before a hint does. */
function slotsOfHints({ terms, replicas }: WriteTally): number {
  const counts = ({ durable }: { readonly durable: boolean }): boolean => durable || !terms.durable
  const slots = new Set(replicas.map((entry) => (entry.state === 'hinted' && counts(entry) ? entry.hintFor : null)))
  for (const entry of replicas) if (entry.state === 'acknowledged' && counts(entry)) slots.delete(entry.replica)
  slots.delete(null)
  return slots.size
}

function belongs<Reason extends string>(
  { homes, fallbacks }: WriteTerms,
  event: Exclude<WriteEvent<Reason>, { type: 'deadline' }>,
): boolean {
  switch (event.type) {
    case 'acknowledged':
      return homes.includes(event.replica)
    case 'hinted':
      return fallbacks.includes(event.replica) && homes.includes(event.hintFor)
    default:
      return homes.includes(event.replica) || fallbacks.includes(event.replica)
  }
}

/** What is known of a replica only ever gets stronger, so late, repeated and reordered replies do no harm. */
function next<Reason extends string>(
  before: ReplicaEntry<Reason> | undefined,
  event: Exclude<WriteEvent<Reason>, { type: 'deadline' }>,
): ReplicaEntry<Reason> {
  const { replica } = event
  const mayHold = before?.mayHold ?? false
  if (before?.state === 'hinted') return before
  if (before?.state === 'acknowledged') {
    const synced = event.type === 'acknowledged' && event.durable && !before.durable
    return synced ? { ...before, durable: true } : before
  }
  switch (event.type) {
    case 'sent':
      return { replica, mayHold, state: 'in-flight' }
    case 'acknowledged':
      return { replica, mayHold, state: 'acknowledged', durable: event.durable }
    case 'hinted':
      return { replica, mayHold, state: 'hinted', hintFor: event.hintFor, durable: event.durable }
    case 'failed':
      return { replica, mayHold: true, state: 'failed' }
    case 'refused':
      // An earlier attempt may have arrived: this refusal does not take it back.
      if (mayHold) return { replica, mayHold, state: 'failed' }
      return { replica, mayHold, state: 'refused', reason: event.reason, absent: event.absent }
    case 'unreachable':
      if (mayHold) return { replica, mayHold, state: 'failed' }
      return before?.state === 'refused' ? before : { replica, mayHold, state: 'unreachable' }
  }
}

/** How many more slots could be filled by replicas that have not concluded. */
function stillPossible(tally: WriteTally): number {
  const { homes, fallbacks, sloppy } = tally.terms
  let byThemselves = 0
  let absent = 0
  for (const home of homes) {
    const entry = entryOf(tally, home)
    if (entry?.state === 'acknowledged' || (sloppy && isHintedFor(tally, home))) continue
    if (isOpen(entry)) byThemselves++
    else if (entry.state !== 'refused' || entry.absent) absent++
  }
  if (!sloppy || absent === 0) return byThemselves
  let holders = 0
  for (const fallback of fallbacks) if (isOpen(entryOf(tally, fallback))) holders++
  return byThemselves + Math.min(absent, holders)
}

function entryOf(tally: WriteTally, name: string): ReplicaEntry<string> | undefined {
  return tally.replicas[indexOf(tally, name)]
}

function isHintedFor(tally: WriteTally, home: string): boolean {
  for (const entry of tally.replicas) if (entry.state === 'hinted' && entry.hintFor === home) return true
  return false
}

function isOpen(
  entry: ReplicaEntry<string> | undefined,
): entry is undefined | (ReplicaEntry<string> & { readonly state: 'in-flight' }) {
  return entry === undefined || entry.state === 'in-flight'
}
