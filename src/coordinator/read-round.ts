// One read on its way to R of N replicas. Where concurrent answers meet: views of complete homes (and hints of fallbacks) are merged,
// the tally says when enough have counted. Decides whom to ask next; never writes. Invariant: a filling home's view is merged into
// nothing, and an answer that came after the end changes nothing but is handed to `onLate`.

import { DotSet } from '../core/causality/dot-set.ts'
import type { HybridTime } from '../core/causality/hybrid-clock.ts'
import { type Conflict, EMPTY_VIEW, mergeViews, type View } from '../core/causality/view.ts'
import {
  beginRead,
  type ReadEvent,
  type ReadTally,
  type ReadVerdict,
  readVerdict,
  tallyRead,
} from '../core/quorum/read-tally.ts'
import type { Clock } from '../ports/clock.ts'
import type { RefusalReason } from '../protocol/messages.ts'
import type { KeyName } from '../replica/replica.ts'
import type { Explanation } from './explanation.ts'
import { expectation, type ReadAnswer, type Replicas } from './replicas.ts'

export interface ReadRoundTerms {
  readonly self: string
  readonly name: KeyName
  readonly conflict: Conflict
  readonly homes: readonly string[]
  readonly fallbacks: readonly string[]
  readonly required: number
  readonly sloppy: boolean
  /** Ask every home at once, not just as many as are needed. */
  readonly askAll: boolean
  readonly mustInclude: DotSet | null
  /** Whether a view shows a client anything. */
  readonly isLive: (view: View) => boolean
  /** Monotonic. */
  readonly deadlineAt: number
  /** After this long, everybody else is asked too. Milliseconds. */
  readonly hedgeMs: number
}

type Answered = Extract<ReadAnswer, { type: 'answered' }>

export interface ReadRoundResult {
  readonly verdict: Exclude<ReadVerdict<RefusalReason>, { state: 'pending' }>
  readonly view: View
  /** Whether the union of what the replies know includes `mustInclude`. */
  readonly contextReached: boolean
  /** Complete homes whose answers were merged. */
  readonly homes: ReadonlyMap<string, Answered>
  /** A hybrid time that every one of these homes knows. */
  readonly knownTime: HybridTime
  readonly tally: ReadTally<RefusalReason>
}

export function readRound(
  parts: { readonly replicas: Replicas; readonly clock: Clock },
  terms: ReadRoundTerms,
  explanation: Explanation | null,
  onLate: (member: string, answer: Answered) => void,
): Promise<ReadRoundResult> {
  return new ReadRound(parts, terms, explanation, onLate).run()
}

class ReadRound {
  readonly #replicas: Replicas
  readonly #clock: Clock
  readonly #terms: ReadRoundTerms
  readonly #explanation: Explanation | null
  readonly #onLate: (member: string, answer: Answered) => void
  readonly #homes = new Map<string, Answered>()
  readonly #unaskedHomes: string[]
  readonly #unaskedFallbacks: string[]
  #tally: ReadTally<RefusalReason>
  #view: View = EMPTY_VIEW
  #missing: DotSet
  #expect: { readonly view: View | null; readonly digest: string } | null = null
  #underWay = 0
  #end: ((result: ReadRoundResult) => void) | null = null

  constructor(
    parts: { readonly replicas: Replicas; readonly clock: Clock },
    terms: ReadRoundTerms,
    explanation: Explanation | null,
    onLate: (member: string, answer: Answered) => void,
  ) {
    this.#replicas = parts.replicas
    this.#clock = parts.clock
    this.#terms = terms
    this.#explanation = explanation
    this.#onLate = onLate
    this.#missing = terms.mustInclude ?? DotSet.empty()
    this.#unaskedHomes = [...terms.homes]
    this.#unaskedFallbacks = terms.sloppy ? [...terms.fallbacks] : []
    this.#tally = beginRead(terms)
  }

  run(): Promise<ReadRoundResult> {
    return new Promise((resolve) => {
      const hedge = this.#clock.after(this.#terms.hedgeMs, () => this.#askEveryone())
      const deadline = this.#clock.after(Math.max(0, this.#terms.deadlineAt - this.#clock.monotonic()), () => {
        this.#note({ type: 'deadline' })
        this.#conclude()
      })
      this.#end = (result) => {
        hedge.cancel()
        deadline.cancel()
        resolve(result)
      }
      const { self, homes } = this.#terms
      if (!homes.includes(self)) return this.#askFirst()
      // The own copy first: it costs nothing, and its digest spares the others from sending the same value again. Its disk may be slow,
      // though: the timers run already.
      this.#unaskedHomes.splice(this.#unaskedHomes.indexOf(self), 1)
      this.#underWay++
      void this.#askOne(self, false).then(() => {
        this.#underWay--
        if (this.#end) this.#askFirst()
      })
    })
  }

  #askFirst(): void {
    if (this.#terms.askAll) this.#askEveryHome()
    this.#askMore()
    this.#conclude()
  }

  /** Keeps as many answers under way as could still be needed. */
  #askMore(): void {
    const wanted = (): number => {
      const verdict = readVerdict(this.#tally, this.#terms.isLive(this.#view))
      if (verdict.state === 'met') return this.#missing.isEmpty ? 0 : 1
      return this.#terms.required - verdict.counts.counted.length
    }
    while (wanted() > this.#underWay) {
      const home = this.#unaskedHomes.shift()
      if (home !== undefined) this.#ask(home, false)
      else {
        const fallback = this.#unaskedFallbacks.shift()
        if (fallback === undefined) return
        this.#ask(fallback, true)
      }
    }
  }

  #askEveryHome(): void {
    while (this.#unaskedHomes.length > 0) this.#ask(this.#unaskedHomes.shift() as string, false)
  }

  #askEveryone(): void {
    this.#askEveryHome()
    if (this.#underWay > 0) {
      // A home is slow or gone: ask as many fallbacks as there are answers missing.
      const missing = this.#terms.homes.length - this.#homes.size
      for (let i = 0; i < missing && this.#unaskedFallbacks.length > 0; i++)
        this.#ask(this.#unaskedFallbacks.shift() as string, true)
    }
    this.#conclude()
  }

  #ask(member: string, fallback: boolean): void {
    if (!this.#replicas.reachable(member)) {
      this.#explanation?.note(member, fallback ? 'home' : null, 'unreachable', this.#clock.monotonic())
      this.#note({ type: 'unreachable', replica: member })
      return
    }
    this.#underWay++
    void this.#askOne(member, fallback).then(() => {
      this.#underWay--
      if (!this.#end) return
      this.#askMore()
      this.#conclude()
    })
  }

  async #askOne(member: string, fallback: boolean): Promise<void> {
    const startedAt = this.#clock.monotonic()
    this.#note({ type: 'sent', replica: member })
    const { name, mustInclude, deadlineAt } = this.#terms
    const answer = await this.#replicas.read(
      member,
      { name, fallback, expect: fallback ? null : this.#expect, mustInclude },
      deadlineAt,
    )
    const said = explain(answer)
    this.#explanation?.note(
      member,
      fallback ? 'home' : null,
      said,
      startedAt,
      answer.type === 'answered' ? answer.view : null,
    )
    this.#take(member, fallback, answer)
  }

  #take(member: string, fallback: boolean, answer: ReadAnswer): void {
    if (answer.type !== 'answered') {
      this.#note(answer.type === 'refused' ? { ...answer, replica: member } : { type: answer.type, replica: member })
      return
    }
    if (this.#tally.closed) {
      if (!fallback && !answer.filling) this.#onLate(member, answer)
      return
    }
    if (fallback) this.#note({ type: 'stood-in', replica: member })
    else this.#note({ type: 'answered', replica: member, filling: answer.filling })
    if (answer.filling) return
    if (!fallback) this.#homes.set(member, answer)
    if (answer.view && !answer.same) this.#view = mergeViews(this.#view, answer.view, this.#terms.conflict)
    this.#missing = this.#missing.intersect(answer.missing)
    if (!fallback && this.#expect === null) this.#expect = expectation(answer.view)
  }

  #note(event: ReadEvent<RefusalReason>): void {
    this.#tally = tallyRead(this.#tally, event)
  }

  #conclude(): void {
    if (!this.#end) return
    const live = this.#terms.isLive(this.#view)
    let verdict = readVerdict(this.#tally, live)
    const exhausted = this.#underWay === 0
    const reached = this.#missing.isEmpty
    if (verdict.state === 'pending' && exhausted) {
      this.#note({ type: 'deadline' })
      verdict = readVerdict(this.#tally, live)
    }
    if (verdict.state === 'pending') return
    if (verdict.state === 'met' && !reached && !exhausted && !this.#tally.closed) return
    // Closed from here on: what still comes is late.
    this.#note({ type: 'deadline' })
    const end = this.#end
    this.#end = null
    const times = [...this.#homes.values()].map((answer) => answer.time)
    end({
      verdict,
      view: this.#view,
      contextReached: reached,
      homes: this.#homes,
      knownTime: times.length > 0 ? Math.min(...times) : 0,
      tally: this.#tally,
    })
  }
}

function explain(answer: ReadAnswer): string {
  if (answer.type === 'refused') return `refused:${answer.reason}`
  if (answer.type !== 'answered') return answer.type
  if (answer.filling) return 'filling'
  return answer.view === null ? 'empty' : answer.same ? 'same' : 'answered'
}
