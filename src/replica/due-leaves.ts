// When each stretch of one partition (a leaf of its hash tree) is to be looked through for what has become superfluous, so that nobody
// looks through ten million records for the few that have. Knows times, nothing of records. Not durable: at first all are due.
// Invariant: no leaf is due later than any of its records; one whose record waits for news of other homes says that it does.

import { LEAVES } from '../core/merkle/merkle-tree.ts'

const AT_ONCE = -1

export class DueLeaves {
  /** Milliseconds of the hybrid clock; `Infinity`: never. */
  readonly #atMs = new Float64Array(LEAVES).fill(AT_ONCE)
  readonly #isWaiting = new Uint8Array(LEAVES)
  #heard = ''

  /** A record of the leaf is to be looked at then; negative: at once. */
  note(leaf: number, atMs: number): void {
    if (atMs < (this.#atMs[leaf] as number)) this.#atMs[leaf] = atMs
  }

  /** A record of the leaf can not be finished before there is news. */
  waits(leaf: number): void {
    this.#isWaiting[leaf] = 1
  }

  /** What is due before `nowMs`, or waited for news other than what was heard last. */
  isDue(leaf: number, nowMs: number, news: string): boolean {
    return (this.#atMs[leaf] as number) < nowMs || (this.#isWaiting[leaf] !== 0 && news !== this.#heard)
  }

  /** Whether nothing can be due, whatever the news. */
  isIdle(nowMs: number): boolean {
    return this.#atMs.every((atMs) => atMs >= nowMs) && !this.#isWaiting.includes(1)
  }

  /** It is looked through from now on: whatever is noted after this counts. */
  begin(leaf: number): void {
    this.#atMs[leaf] = Infinity
    this.#isWaiting[leaf] = 0
  }

  /** All that were due with these news have been looked through. */
  heard(news: string): void {
    this.#heard = news
  }
}
