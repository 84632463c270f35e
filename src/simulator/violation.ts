// Where checkers put what they find. Invariant: a violation names its guarantee, so that a report (and a mutant) says what caught it.

export interface Violation {
  /** `G1` … `G15`, or `crash` for an assertion or an exception inside a node. */
  readonly guarantee: string
  /** Simulated milliseconds. */
  readonly at: number
  readonly what: string
}

/** Of each guarantee: many violations of one must not hide another's. */
const KEPT_MAX = 20

export class Violations {
  readonly found: Violation[] = []
  readonly #now: () => number
  readonly #trace: (event: string) => void

  constructor(now: () => number, trace: (event: string) => void) {
    this.#now = now
    this.#trace = trace
  }

  has(guarantee: string): boolean {
    return this.found.some((violation) => violation.guarantee === guarantee)
  }

  add(guarantee: string, what: string): void {
    this.#trace(`VIOLATION ${guarantee} ${what}`)
    const kept = this.found.filter((violation) => violation.guarantee === guarantee).length
    if (kept < KEPT_MAX) this.found.push({ guarantee, at: this.#now(), what })
  }
}
