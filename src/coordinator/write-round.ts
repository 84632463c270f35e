// One write on its way to W of N replicas. Where concurrent acknowledgements meet: each goes to the tally, the tally's verdict ends the
// wait, and whatever is still on its way goes on behind it. Decides whom to ask and when a fallback stands in; never what a verdict is.
// Invariant: a home that did not acknowledge a write that somebody may hold gets it as a hint, from a fallback or from here.

import {
  beginWrite,
  mayProveNotApplied,
  tallyWrite,
  type WriteEvent,
  type WriteTally,
  type WriteVerdict,
  writeVerdict,
} from '../core/quorum/write-tally.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import type { RefusalReason } from '../protocol/messages.ts'
import type { Explanation } from './explanation.ts'
import type { OutgoingWrite, Replicas, WriteAnswer } from './replicas.ts'

export interface WriteRoundTerms {
  readonly homes: readonly string[]
  readonly fallbacks: readonly string[]
  readonly required: number
  readonly sloppy: boolean
  /** Monotonic. */
  readonly deadlineAt: number
  /** After this long without an answer from a home a fallback is asked as well. Milliseconds. */
  readonly hedgeMs: number
  /** Too few replicas are in reach: send nothing, so that the failure is a certain one. */
  readonly nothingToSend: boolean
}

type Written = Extract<WriteAnswer, { type: 'written' }>

export interface WriteRoundResult {
  readonly verdict: Exclude<WriteVerdict<RefusalReason>, { state: 'pending' }>
  /** What acknowledging homes said, by name, up to the verdict. */
  readonly written: ReadonlyMap<string, Written>
  readonly tally: WriteTally<RefusalReason>
  /** In reach, but left alone since too few others are: whoever looks for the cause must not look there. */
  readonly notAsked: ReadonlySet<string>
  /** Resolves when nothing more is under way and hints for stragglers are kept; true: every home has acknowledged. */
  readonly settled: Promise<boolean>
}

export interface RoundParts {
  readonly replicas: Replicas
  readonly clock: Clock
  /** Keeps a hint on this node for a home that did not acknowledge. */
  readonly keepHint: (write: OutgoingWrite, target: string) => void
}

export function writeRound(
  parts: RoundParts,
  write: OutgoingWrite,
  terms: WriteRoundTerms,
  explanation: Explanation | null,
): Promise<WriteRoundResult> {
  const round = new WriteRound(parts, write, terms, explanation)
  return round.run()
}

class WriteRound {
  readonly #parts: RoundParts
  readonly #write: OutgoingWrite
  readonly #terms: WriteRoundTerms
  readonly #explanation: Explanation | null
  readonly #written = new Map<string, Written>()
  readonly #unusedFallbacks: string[]
  /** Homes for which some fallback holds, or is being asked to hold, a hint. */
  readonly #covered = new Set<string>()
  readonly #notAsked = new Set<string>()
  #tally: WriteTally<RefusalReason>
  #underWay = 0
  #begun = false
  readonly #timers: Timer[] = []
  #verdict: ((result: WriteRoundResult) => void) | null = null
  #settle: (everywhere: boolean) => void = () => {}
  readonly #settled = new Promise<boolean>((resolve) => {
    this.#settle = resolve
  })

  constructor(parts: RoundParts, write: OutgoingWrite, terms: WriteRoundTerms, explanation: Explanation | null) {
    this.#parts = parts
    this.#write = write
    this.#terms = terms
    this.#explanation = explanation
    this.#unusedFallbacks = [...terms.fallbacks]
    this.#tally = beginWrite({ ...terms, durable: false })
  }

  run(): Promise<WriteRoundResult> {
    const { clock } = this.#parts
    return new Promise((resolve) => {
      this.#verdict = resolve
      this.#underWay++
      if (this.#terms.sloppy) this.#timers.push(clock.after(this.#terms.hedgeMs, () => this.#hedge()))
      const leftMs = Math.max(0, this.#terms.deadlineAt - clock.monotonic())
      this.#timers.push(clock.after(leftMs, () => this.#note({ type: 'deadline' })))
      for (const home of this.#terms.homes) this.#ask(home, null)
      this.#underWay--
      this.#begun = true
      this.#conclude()
    })
  }

  #ask(member: string, hintFor: string | null): void {
    const { replicas, clock } = this.#parts
    const inReach = replicas.reachable(member)
    if (this.#terms.nothingToSend || !inReach) {
      if (inReach) this.#notAsked.add(member)
      this.#explanation?.note(member, hintFor, inReach ? 'not-asked' : 'unreachable', clock.monotonic())
      this.#note({ type: 'unreachable', replica: member })
      this.#standInFor(hintFor ?? member)
      return
    }
    this.#underWay++
    this.#note({ type: 'sent', replica: member })
    const startedAt = clock.monotonic()
    const take = (said: WriteAnswer): void => {
      this.#explanation?.note(member, hintFor, explain(said), startedAt)
      this.#underWay--
      this.#take(member, hintFor, said)
      this.#conclude()
    }
    const answer = replicas.write(member, this.#write, hintFor, this.#terms.deadlineAt)
    if (answer instanceof Promise) void answer.then(take)
    else take(answer)
  }

  #take(member: string, hintFor: string | null, answer: WriteAnswer): void {
    switch (answer.type) {
      case 'written':
        this.#written.set(member, answer)
        this.#note({ type: 'acknowledged', replica: member, durable: answer.durable })
        return
      case 'hinted':
        this.#note({ type: 'hinted', replica: member, hintFor: hintFor as string, durable: answer.durable })
        return
      case 'refused':
        this.#note({ type: 'refused', replica: member, reason: answer.reason, absent: !SAYS_NO.has(answer.reason) })
        // The home is there and said no to this write: a copy beside it would only go around its answer.
        if (hintFor === null && SAYS_NO.has(answer.reason)) return
        break
      default:
        this.#note({ type: answer.type, replica: member })
    }
    if (hintFor !== null) this.#covered.delete(hintFor)
    this.#standInFor(hintFor ?? member)
  }

  /** Asks the next reachable fallback to hold the write for `home`. */
  #standInFor(home: string): void {
    if (!this.#terms.sloppy || this.#covered.has(home) || this.#isClosed()) return
    for (;;) {
      const fallback = this.#unusedFallbacks.shift()
      if (fallback === undefined) return
      const inReach = this.#parts.replicas.reachable(fallback)
      if (this.#terms.nothingToSend || !inReach) {
        if (inReach) this.#notAsked.add(fallback)
        this.#note({ type: 'unreachable', replica: fallback })
        continue
      }
      this.#covered.add(home)
      this.#ask(fallback, home)
      return
    }
  }

  #hedge(): void {
    for (const { replica, state } of this.#tally.replicas) {
      if (state === 'in-flight' && this.#terms.homes.includes(replica)) this.#standInFor(replica)
    }
    this.#conclude()
  }

  #isClosed(): boolean {
    return this.#tally.closed
  }

  #note(event: WriteEvent<RefusalReason>): void {
    this.#tally = tallyWrite(this.#tally, event)
    if (event.type === 'deadline') this.#conclude()
  }

  #conclude(): void {
    // Before everybody was asked an answer that came at once proves nothing about the others.
    if (!this.#begun) return
    const verdict = writeVerdict(this.#tally)
    // A 4xx says "not applied": with the first refusals the quorum is lost, but only the last one tells that.
    const isOpen = verdict.state === 'pending' || (verdict.state === 'lost' && mayProveNotApplied(this.#tally))
    if (this.#verdict && (!isOpen || this.#underWay === 0)) {
      const tally = verdict.state === 'pending' ? tallyWrite(this.#tally, { type: 'deadline' }) : this.#tally
      const final = verdict.state === 'pending' ? writeVerdict(tally) : verdict
      if (final.state !== 'pending') {
        const written = new Map(this.#written)
        this.#verdict({ verdict: final, written, tally, notAsked: this.#notAsked, settled: this.#settled })
        this.#verdict = null
      }
    }
    if (this.#underWay === 0 && !this.#verdict) {
      for (const timer of this.#timers) timer.cancel()
      const everywhere = verdict.counts.homes === this.#terms.homes.length
      if (!everywhere) this.#keepHints()
      this.#settle(everywhere)
    }
  }

  /** The dot stays open until every home has it: what no fallback keeps for an absent home is kept here. */
  #keepHints(): void {
    const verdict = writeVerdict(tallyWrite(this.#tally, { type: 'deadline' }))
    if (verdict.state === 'lost' && verdict.outcome === 'not-applied') return
    const hinted = new Set(this.#tally.replicas.map((entry) => (entry.state === 'hinted' ? entry.hintFor : null)))
    for (const home of this.#terms.homes) {
      const entry = this.#tally.replicas.find(({ replica }) => replica === home)
      if (entry?.state !== 'acknowledged' && !hinted.has(home)) this.#parts.keepHint(this.#write, home)
    }
  }
}

const SAYS_NO: ReadonlySet<RefusalReason> = new Set([
  'too-many-siblings',
  'idempotency-mismatch',
  'clock-ahead',
  'storage-full',
])

function explain(answer: WriteAnswer): string {
  if (answer.type === 'written') return answer.stored ? 'stored' : 'already'
  return answer.type === 'refused' ? `refused:${answer.reason}` : answer.type
}
