// The name of one write: (life, counter). A life is one run of one node's process; its counters count that node's writes to one
// (partition, n). Knows nothing of values. Invariant: a dot names one (key, value) for ever, because lives are random and never resumed.

/** 8 random bytes as 16 lower-case hex digits; new at every start of a node. */
export type Life = string

export const LIFE_BYTES = 8

/** Dots are compared within one (partition, n); `counter` starts at 1. */
export interface Dot {
  readonly life: Life
  readonly counter: number
}

export function sameDot(a: Dot, b: Dot): boolean {
  return a.counter === b.counter && a.life === b.life
}

/** A total order without causal meaning: (life, counter). It makes every replica list siblings alike. */
export function compareDots(a: Dot, b: Dot): number {
  return a.life < b.life ? -1 : a.life > b.life ? 1 : a.counter - b.counter
}

/** The public form, as in `Quorate-Version`: `<16 hex digits>-<counter>`. */
export function formatDot(dot: Dot): string {
  return `${dot.life}-${dot.counter}`
}

const DOT_TEXT = /^([0-9a-f]{16})-([1-9][0-9]{0,15})$/

/** The inverse of `formatDot`, or null. */
export function parseDot(text: string): Dot | null {
  const match = DOT_TEXT.exec(text)
  if (!match) return null
  const counter = Number(match[2])
  return Number.isSafeInteger(counter) ? { life: match[1] as Life, counter } : null
}
