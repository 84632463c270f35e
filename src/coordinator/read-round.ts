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
  repliesMissing,
  tallyRead,
} from '../core/quorum/read-tally.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import type { RefusalReason } from '../protocol/messages.ts'
import type { KeyName } from '../replica/replica.ts'
import type { Explanation } from './explanation.ts'
import { expectation, type ReadAnswer, type ReadQuestion } from './replica-answers.ts'
import type { Replicas } from './replicas.ts'

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

/** What a complete home said. */
export interface HomeAnswer {
  readonly member: string
  readonly answer: Answered
}

/** A home's answer after the end, and the view that the round ended with. */
type OnLate = (member: string, answer: Answered, view: View) => void

export interface ReadRoundResult {
  readonly verdict: Exclude<ReadVerdict<RefusalReason>, { state: 'pending' }>
  readonly view: View
  /** Whether the union of what the replies know includes `mustInclude`. */
  readonly contextReached: boolean
  /** Complete homes whose answers were merged. */
  readonly homes: readonly HomeAnswer[]
  /** A hybrid time that every one of these homes knows. */
  readonly knownTime: HybridTime
  /** The latest that one of them knew: beyond the reader's own only where it was too far ahead to be believed. */
  readonly latestTime: HybridTime
  readonly tally: ReadTally<RefusalReason>
}

export function readRound(
  parts: { readonly replicas: Replicas; readonly clock: Clock },
  terms: ReadRoundTerms,
  explanation: Explanation | null,
  onLate: OnLate,
): Promise<ReadRoundResult> {
  return new Promise((resolve) => new ReadRound(parts, terms, explanation, onLate, resolve).run())
}

class ReadRound {
  readonly #replicas: Replicas
  readonly #clock: Clock
  readonly #terms: ReadRoundTerms
  readonly #explanation: Explanation | null
  readonly #onLate: OnLate
  readonly #homes: HomeAnswer[] = []
  /** Whether this node is a home: then it is asked first, and not in its turn. */
  readonly #isHome: boolean
  /** How many of the homes and of the fallbacks have had their turn. */
  #homesAsked = 0
  #fallbacksAsked = 0
  #tally: ReadTally<RefusalReason>
  #view: View = EMPTY_VIEW
  #missing: DotSet
  /** What the first complete home holds; null before. Those who are asked later need not send it again. */
  #first: { readonly view: View | null } | null = null
  #expect: ReadQuestion['expect'] = null
  #underWay = 0
  #stoodIn = false
  #timer: Timer | null = null
  /** Null: the round has ended. */
  #end: ((result: ReadRoundResult) => void) | null

  constructor(
    parts: { readonly replicas: Replicas; readonly clock: Clock },
    terms: ReadRoundTerms,
    explanation: Explanation | null,
    onLate: OnLate,
    end: (result: ReadRoundResult) => void,
  ) {
    this.#replicas = parts.replicas
    this.#clock = parts.clock
    this.#terms = terms
    this.#explanation = explanation
    this.#onLate = onLate
    this.#end = end
    this.#missing = terms.mustInclude ?? DotSet.empty()
    this.#isHome = terms.homes.includes(terms.self)
    this.#tally = beginRead(terms)
  }

  run(): void {
    const { self, hedgeMs, deadlineAt } = this.#terms
    const leftMs = Math.max(0, deadlineAt - this.#clock.monotonic())
    this.#timer =
      hedgeMs < leftMs
        ? this.#clock.after(hedgeMs, () => this.#hedge())
        : this.#clock.after(leftMs, () => this.#giveUp())
    // The own copy first: it costs nothing, and its digest spares the others from sending the same value again. Its disk may be slow,
    // though: the timer runs already.
    if (this.#isHome) this.#askOne(self, false, () => this.#askFirst())
    else this.#askFirst()
  }

  #hedge(): void {
    const leftMs = Math.max(0, this.#terms.deadlineAt - this.#clock.monotonic())
    this.#timer = this.#clock.after(leftMs, () => this.#giveUp())
    this.#askEveryone()
  }

  #giveUp(): void {
    this.#note({ type: 'deadline' })
    this.#conclude()
  }

  #askFirst(): void {
    if (this.#terms.askAll) this.#askEveryHome()
    this.#askMore()
    this.#conclude()
  }

  /** Keeps as many answers under way as could still be needed. */
  #askMore(): void {
    while (this.#wanted() > this.#underWay) {
      const home = this.#nextHome()
      if (home !== undefined) this.#ask(home, false)
      else {
        const fallback = this.#nextFallback()
        if (fallback === undefined) return
        this.#ask(fallback, true)
      }
    }
  }

  #wanted(): number {
    const missing = repliesMissing(this.#tally, this.#isLive())
    return missing === 0 && !this.#missing.isEmpty ? 1 : missing
  }

  #nextHome(): string | undefined {
    const { homes, self } = this.#terms
    while (this.#homesAsked < homes.length) {
      const home = homes[this.#homesAsked++]
      if (!this.#isHome || home !== self) return home
    }
    return undefined
  }

  #nextFallback(): string | undefined {
    const { sloppy, fallbacks } = this.#terms
    return sloppy ? fallbacks[this.#fallbacksAsked++] : undefined
  }

  #askEveryHome(): void {
    for (let home = this.#nextHome(); home !== undefined; home = this.#nextHome()) this.#ask(home, false)
  }

  #askEveryone(): void {
    this.#askEveryHome()
    if (this.#underWay > 0) {
      // A home is slow or gone: ask as many fallbacks as there are answers missing.
      for (let missing = this.#terms.homes.length - this.#homes.length; missing > 0; missing--) {
        const fallback = this.#nextFallback()
        if (fallback === undefined) break
        this.#ask(fallback, true)
      }
    }
    this.#conclude()
  }

  #ask(member: string, fallback: boolean): void {
    if (!this.#replicas.reachable(member)) {
      this.#explanation?.note(member, fallback ? 'home' : null, 'unreachable', this.#clock.monotonic())
      this.#note({ type: 'unreachable', replica: member })
      return
    }
    this.#askOne(member, fallback, () => {
      this.#askMore()
      this.#conclude()
    })
  }

  /** `goOn` runs after the answer was taken, unless the round has ended. */
  #askOne(member: string, fallback: boolean, goOn: () => void): void {
    const explanation = this.#explanation
    const startedAt = explanation === null ? 0 : this.#clock.monotonic()
    this.#underWay++
    this.#note({ type: 'sent', replica: member })
    const { name, mustInclude, deadlineAt } = this.#terms
    const question = { name, fallback, expect: fallback ? null : this.#expected(), mustInclude }
    this.#replicas.read(member, question, deadlineAt, (said) => {
      const view = said.type === 'answered' ? said.view : null
      explanation?.note(member, fallback ? 'home' : null, explain(said), startedAt, view)
      this.#take(member, fallback, said)
      this.#underWay--
      if (this.#end) goOn()
    })
  }

  #expected(): ReadQuestion['expect'] {
    return this.#first === null ? null : (this.#expect ??= expectation(this.#first.view))
  }

  #take(member: string, fallback: boolean, answer: ReadAnswer): void {
    if (answer.type !== 'answered') {
      this.#note(answer.type === 'refused' ? { ...answer, replica: member } : { type: answer.type, replica: member })
      return
    }
    if (this.#tally.closed) {
      if (!fallback && !answer.filling) this.#onLate(member, answer, this.#view)
      return
    }
    if (fallback) {
      this.#stoodIn = true
      this.#note({ type: 'stood-in', replica: member })
    } else this.#note({ type: 'answered', replica: member, filling: answer.filling })
    if (answer.filling) return
    if (!fallback) this.#homes.push({ member, answer })
    if (answer.view && !answer.same) this.#view = union(this.#view, answer.view, this.#terms.conflict)
    if (!this.#missing.isEmpty) this.#missing = this.#missing.intersect(answer.missing)
    if (!fallback) this.#first ??= answer
  }

  /** Only fallbacks depend on it. */
  #isLive(): boolean {
    return this.#stoodIn && this.#terms.isLive(this.#view)
  }

  #note(event: ReadEvent<RefusalReason>): void {
    this.#tally = tallyRead(this.#tally, event)
  }

  #conclude(): void {
    if (!this.#end) return
    const live = this.#isLive()
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
    this.#timer?.cancel()
    const times = this.#homes.map(({ answer }) => answer.time)
    end({
      verdict,
      view: this.#view,
      contextReached: reached,
      homes: this.#homes,
      knownTime: times.length > 0 ? Math.min(...times) : 0,
      latestTime: Math.max(0, ...times),
      tally: this.#tally,
    })
  }
}

/** Nothing and a view is that view; only where tags died it may hold what a merge would drop. */
function union(a: View, b: View, conflict: Conflict): View {
  return a === EMPTY_VIEW && b.deadTags.length === 0 ? b : mergeViews(a, b, conflict)
}

function explain(answer: ReadAnswer): string {
  if (answer.type === 'refused') return `refused:${answer.reason}`
  if (answer.type !== 'answered') return answer.type
  if (answer.filling) return 'filling'
  return answer.view === null ? 'empty' : answer.same ? 'same' : 'answered'
}
