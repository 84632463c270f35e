// What each second of an overwriting run had, and what windows of ten of them say. Pure.

import { median } from '../parts/figures.ts'

export interface Second {
  readonly perSecond: number
  /** Allocated on disk, as a multiple of keys and values. */
  readonly amplification: number
  readonly slowestMs: number
  /** Of the bare loop. */
  readonly slowestBareMs: number
  readonly bareMs: number
  /** CPU time of a fixed piece of computing meanwhile. */
  readonly workMs: number
}

export interface Span {
  readonly perSecond: number
  readonly leastPerSecond: number
  readonly greatestPerSecond: number
  readonly amplification: number
  readonly slowestMs: number
  readonly slowestBareMs: number
  readonly bareMs: number
  readonly workMs: number
}

export const WINDOW_SECONDS = 10

/** Whole windows only. */
export function windowsOf(seconds: readonly Second[]): Span[] {
  const windows: Span[] = []
  for (let from = 0; from + WINDOW_SECONDS <= seconds.length; from += WINDOW_SECONDS)
    windows.push(spanOf(seconds.slice(from, from + WINDOW_SECONDS)))
  return windows
}

export function spanOf(seconds: readonly Second[]): Span {
  const rates = seconds.map((second) => second.perSecond)
  const greatest = (name: keyof Second): number => Math.max(...seconds.map((second) => second[name]))
  return {
    perSecond: rates.reduce((sum, rate) => sum + rate, 0) / rates.length,
    leastPerSecond: Math.min(...rates),
    greatestPerSecond: Math.max(...rates),
    ...{ amplification: greatest('amplification'), slowestMs: greatest('slowestMs') },
    slowestBareMs: greatest('slowestBareMs'),
    bareMs: median(seconds.map((second) => second.bareMs)),
    workMs: median(seconds.map((second) => second.workMs)),
  }
}

export interface Unevenness {
  readonly median: number
  /** How far the window farthest from the median of all is away from it, as a part of that. */
  readonly largest: number
}

export function unevenness(rates: readonly number[]): Unevenness {
  const middle = median(rates)
  return { median: middle, largest: Math.max(...rates.map((rate) => Math.abs(rate / middle - 1))) }
}

/** What the rates would have been, had the machine been as fast all the time as in the middle window. */
export function atEvenSpeed(windows: readonly Span[]): number[] {
  const usual = median(windows.map(({ workMs }) => workMs))
  return windows.map(({ perSecond, workMs }) => (perSecond * workMs) / usual)
}
