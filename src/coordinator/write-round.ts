// One write on its way to W of N replicas. Where concurrent acknowledgements meet: each goes to the tally, the tally's verdict ends the
// wait, and whatever is still on its way goes on behind it. Decides whom to ask and when a fallback stands in; never what a verdict is.
// Invariant: a home that did not acknowledge a write that somebody may hold gets it as a hint, from a fallback or from here.

import {
  beginWrite,
  mayProveNotApplied,
  tallyWrite,
  writeCounts,
  type WriteEvent,
  type WriteTally,
  type WriteVerdict,
  writeVerdict,
} from '../core/quorum/write-tally.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import type { RefusalReason } from '../protocol/messages.ts'
import type { Explanation } from './explanation.ts'
import type { Written } from '../replica/written.ts'
import type { OutgoingWrite, WriteAnswer } from './replica-answers.ts'
import type { Replicas } from './replicas.ts'

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

export interface WriteRoundResult {
  readonly verdict: Exclude<WriteVerdict<RefusalReason>, { state: 'pending' }>
  /** Up to the verdict, each home once. */
  readonly written: readonly Written[]
  /** Of these, homes that had not heard of it before. */
  readonly newTo: readonly string[]
  readonly tally: WriteTally<RefusalReason>
  /** In reach, but left alone since too few others are: whoever looks for the cause must not look there. */
  readonly notAsked: ReadonlySet<string>
}

export interface RoundParts {
  readonly replicas: Replicas
  readonly clock: Clock
  /** Keeps a hint on this node for a home that did not acknowledge. */
  readonly keepHint: (write: OutgoingWrite, target: string) => void
}

/** `onSettled` runs once, when nothing more is under way and hints for stragglers are kept; true: every home has acknowledged. */
export function writeRound(
  parts: RoundParts,
  write: OutgoingWrite,
  terms: WriteRoundTerms,
  explanation: Explanation | null,
  onSettled: (everywhere: boolean) => void,
): Promise<WriteRoundResult> {
  return new Promise((resolve) => new WriteRound(parts, write, terms, explanation, resolve, onSettled).run())
}

const NONE: ReadonlySet<string> = new Set()

class WriteRound {
  readonly #parts: RoundParts
  readonly #write: OutgoingWrite
  readonly #terms: WriteRoundTerms
  readonly #explanation: Explanation | null
  readonly #onSettled: (everywhere: boolean) => void
  readonly #written: Written[] = []
  readonly #newTo: string[] = []
  /** How many fallbacks have had their turn. */
  #fallbacksAsked = 0
  /** Homes for which some fallback holds, or is being asked to hold, a hint; made when there is one. */
  #covered: Set<string> | null = null
  #notAsked: Set<string> | null = null
  #tally: WriteTally<RefusalReason>
  #underWay = 0
  #begun = false
  #timer: Timer | null = null
  /** Null: the verdict is told. */
  #verdict: ((result: WriteRoundResult) => void) | null
  #settled = false

  constructor(
    parts: RoundParts,
    write: OutgoingWrite,
    terms: WriteRoundTerms,
    explanation: Explanation | null,
    verdict: (result: WriteRoundResult) => void,
    onSettled: (everywhere: boolean) => void,
  ) {
    this.#parts = parts
    this.#write = write
    this.#terms = terms
    this.#explanation = explanation
    this.#verdict = verdict
    this.#onSettled = onSettled
    const { homes, fallbacks, required, sloppy } = terms
    this.#tally = beginWrite({ homes, fallbacks, required, sloppy, durable: false })
  }

  run(): void {
    const { homes, fallbacks, sloppy, hedgeMs } = this.#terms
    const leftMs = this.#leftMs()
    const { clock } = this.#parts
    this.#timer =
      sloppy && fallbacks.length > 0 && hedgeMs < leftMs
        ? clock.after(hedgeMs, () => this.#hedge())
        : clock.after(leftMs, () => this.#giveUp())
    this.#underWay++
    for (const home of homes) this.#ask(home, null)
    this.#underWay--
    this.#begun = true
    this.#conclude()
  }

  #leftMs(): number {
    return Math.max(0, this.#terms.deadlineAt - this.#parts.clock.monotonic())
  }

  #giveUp(): void {
    this.#note({ type: 'deadline' })
    this.#conclude()
  }

  #ask(member: string, hintFor: string | null): void {
    const { replicas, clock } = this.#parts
    const explanation = this.#explanation
    const inReach = replicas.reachable(member)
    if (this.#terms.nothingToSend || !inReach) {
      if (inReach) this.#leaveAlone(member)
      explanation?.note(member, hintFor, inReach ? 'not-asked' : 'unreachable', clock.monotonic())
      this.#note({ type: 'unreachable', replica: member })
      this.#standInFor(hintFor ?? member)
      return
    }
    this.#underWay++
    this.#note({ type: 'sent', replica: member })
    const startedAt = explanation === null ? 0 : clock.monotonic()
    replicas.write(member, this.#write, hintFor, this.#terms.deadlineAt, (said) => {
      // Of a write the version that it is, where it was taken.
      const isTaken = said.type === 'written' || said.type === 'hinted'
      explanation?.note(member, hintFor, explain(said), startedAt, isTaken ? this.#write.view : null)
      this.#underWay--
      this.#take(member, hintFor, said)
      this.#conclude()
    })
  }

  #leaveAlone(member: string): void {
    this.#notAsked ??= new Set()
    this.#notAsked.add(member)
  }

  #take(member: string, hintFor: string | null, answer: WriteAnswer): void {
    switch (answer.type) {
      case 'written':
        this.#written.push(answer)
        if (answer.stored) this.#newTo.push(member)
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
    if (hintFor !== null) this.#covered?.delete(hintFor)
    this.#standInFor(hintFor ?? member)
  }

  /** Asks the next reachable fallback to hold the write for `home`. */
  #standInFor(home: string): void {
    const { sloppy, fallbacks, nothingToSend } = this.#terms
    if (!sloppy || this.#covered?.has(home) || this.#tally.closed) return
    for (;;) {
      const fallback = fallbacks[this.#fallbacksAsked++]
      if (fallback === undefined) return
      const inReach = this.#parts.replicas.reachable(fallback)
      if (nothingToSend || !inReach) {
        if (inReach) this.#leaveAlone(fallback)
        this.#note({ type: 'unreachable', replica: fallback })
        continue
      }
      this.#covered ??= new Set()
      this.#covered.add(home)
      this.#ask(fallback, home)
      return
    }
  }

  #hedge(): void {
    this.#timer = this.#parts.clock.after(this.#leftMs(), () => this.#giveUp())
    for (const { replica, state } of this.#tally.replicas) {
      if (state === 'in-flight' && this.#terms.homes.includes(replica)) this.#standInFor(replica)
    }
    this.#conclude()
  }

  #note(event: WriteEvent<RefusalReason>): void {
    this.#tally = tallyWrite(this.#tally, event)
  }

  #conclude(): void {
    // Before everybody was asked an answer that came at once proves nothing about the others.
    if (!this.#begun) return
    if (this.#verdict) this.#tell(this.#verdict)
    if (this.#underWay === 0 && !this.#verdict && !this.#settled) {
      this.#settled = true
      this.#timer?.cancel()
      const everywhere = writeCounts(this.#tally).homes === this.#terms.homes.length
      if (!everywhere) this.#keepHints()
      this.#onSettled(everywhere)
    }
  }

  #tell(tell: (result: WriteRoundResult) => void): void {
    const verdict = writeVerdict(this.#tally)
    // A 4xx says "not applied": with the first refusals the quorum is lost, but only the last one tells that.
    const isOpen = verdict.state === 'pending' || (verdict.state === 'lost' && mayProveNotApplied(this.#tally))
    if (isOpen && this.#underWay > 0) return
    const tally = verdict.state === 'pending' ? tallyWrite(this.#tally, { type: 'deadline' }) : this.#tally
    const final = verdict.state === 'pending' ? writeVerdict(tally) : verdict
    if (final.state === 'pending') return
    this.#verdict = null
    const notAsked = this.#notAsked ?? NONE
    tell({ verdict: final, written: this.#written.slice(), newTo: this.#newTo.slice(), tally, notAsked })
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

/** A home without room is none of these: its word is not about this write, and somebody else may have room. */
const SAYS_NO: ReadonlySet<RefusalReason> = new Set(['too-many-siblings', 'idempotency-mismatch', 'clock-ahead'])

function explain(answer: WriteAnswer): string {
  if (answer.type === 'written') return answer.stored ? 'stored' : 'already'
  return answer.type === 'refused' ? `refused:${answer.reason}` : answer.type
}
