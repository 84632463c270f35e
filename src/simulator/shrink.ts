// From a seed that violates a guarantee to a short story in which the same guarantee still fails: less time, fewer nodes, faults, clients
// and operations (delta debugging: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002). Runs nothing
// itself. Invariant: what is left was run, and fails.

import type { SeedPlan } from './seed-plan.ts'
import type { Violation } from './violation.ts'
import type { Doings } from './world.ts'

/** What is left of a seed. */
export interface Story {
  readonly plan: SeedPlan
  readonly leftOut: Doings
  readonly activeUntilMs: number
}

/** What a story comes to. */
export interface Ending {
  /** The guarantee's first, or null: it held. */
  readonly violation: Violation | null
  /** What was begun. */
  readonly done: Doings
}

export interface ShrinkOptions {
  readonly tell: (story: Story) => Promise<Ending>
  /** Stories told at most. */
  readonly triesMax: number
  readonly onProgress: (tries: number, done: Doings) => void
}

/** A client's name, in front of its operations' numbers. */
const clientOf = (operation: string): string => operation.slice(0, operation.indexOf(':'))

const NODES_MIN = 3

export class Shrinker {
  readonly #options: ShrinkOptions
  #story: Story
  #ending: Ending
  #tries = 0

  /** `ending`: the story's own, with a violation. */
  constructor(story: Story, ending: Ending, options: ShrinkOptions) {
    this.#options = options
    this.#story = story
    this.#ending = ending
  }

  get ending(): Ending {
    return this.#ending
  }

  get tries(): number {
    return this.#tries
  }

  async shrink(): Promise<Story> {
    await this.#withLessTime()
    await this.#withFewerNodes()
    for (let before = Infinity; this.#size < before && !this.#isOver;) {
      before = this.#size
      await this.#without(
        'faults',
        [...this.#ending.done.faults].map((fault) => [fault]),
      )
      await this.#without('operations', this.#byClient())
      await this.#without(
        'operations',
        [...this.#ending.done.operations].map((operation) => [operation]),
      )
      await this.#withLessTime()
    }
    await this.#withFewerNodes()
    return this.#story
  }

  get #size(): number {
    return this.#ending.done.faults.size + this.#ending.done.operations.size
  }

  get #isOver(): boolean {
    return this.#tries >= this.#options.triesMax
  }

  #byClient(): string[][] {
    const clients = Map.groupBy(this.#ending.done.operations, clientOf)
    return [...clients.values()]
  }

  /** What comes after the violation is not needed for it. */
  async #withLessTime(): Promise<void> {
    const { violation } = this.#ending
    if (violation && violation.at < this.#story.activeUntilMs)
      await this.#try({ ...this.#story, activeUntilMs: violation.at })
  }

  /** Another history altogether, with the same chances; so all that was left out may be needed again. */
  async #withFewerNodes(): Promise<void> {
    const { plan } = this.#story
    const least = Math.max(NODES_MIN, ...plan.buckets.map(({ settings }) => Math.min(settings.n, plan.nodes)))
    for (let nodes = least; nodes < plan.nodes && !this.#isOver; nodes++)
      if (await this.#try({ ...this.#story, plan: { ...plan, nodes } })) return
  }

  /** ddmin over groups: leaves out ever smaller parts of what is left, as long as one can be done without. */
  async #without(what: 'faults' | 'operations', groups: readonly (readonly (number | string)[])[]): Promise<void> {
    let left = groups
    for (let parts = 1; left.length > 0 && !this.#isOver;) {
      const size = Math.ceil(left.length / parts)
      let isShorter = false
      for (let from = 0; from < left.length && !this.#isOver;) {
        const without = left.slice(from, from + size).flat()
        if (await this.#try({ ...this.#story, leftOut: this.#more(what, without) })) {
          isShorter = true
          left = left.toSpliced(from, size)
        } else from += size
      }
      if (size === 1 && !isShorter) return
      parts = Math.min(left.length, isShorter ? parts : 2 * parts)
      if (parts === 0) return
    }
  }

  #more(what: 'faults' | 'operations', names: readonly (number | string)[]): Doings {
    const { leftOut } = this.#story
    return { ...leftOut, [what]: new Set([...leftOut[what], ...names]) }
  }

  async #try(story: Story): Promise<boolean> {
    this.#tries++
    const ending = await this.#options.tell(story)
    this.#options.onProgress(this.#tries, this.#ending.done)
    if (ending.violation === null) return false
    this.#story = story
    this.#ending = ending
    return true
  }
}
