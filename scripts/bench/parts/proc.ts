// What the system says of a process from outside: resident memory and CPU time, and when it has come to rest. Reads /proc only.

import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { cpuSeconds } from '../quorum/processes.ts'
import { median } from './figures.ts'

export interface Resident {
  /** VmRSS. */
  readonly rss: number
  /** Pages shared with others count by their share. */
  readonly pss: number
  readonly anonymous: number
}

export function residentOf(pid: number): Resident {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return {
    rss: kibibytes(status, 'VmRSS') * 1024,
    pss: kibibytes(rollup, 'Pss') * 1024,
    anonymous: kibibytes(status, 'RssAnon') * 1024,
  }
}

/** `Name:   123 kB` */
export function kibibytes(text: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)
  if (found === null) throw new Error(`/proc does not say ${name}`)
  return Number(found[1])
}

export interface Rest extends Resident {
  /** False: it had not come to rest when the time was over. */
  readonly isQuiet: boolean
  readonly waitedSeconds: number
}

/** Longer than what a node does every ten seconds. */
const QUIET_SECONDS = 12
/** A node that has been quiet for a quarter of a minute gives its garbage back; the window begins after that. */
const SETTLED_SECONDS = 30
const CPU_SHARE_MAX = 0.1
const RSS_CHANGE_MAX = 0.005
const RSS_CHANGE_BYTES = 1 << 20

/** Samples once a second until twelve in a row used little CPU and the same memory; gives the medians of those. */
export async function atRest(
  pid: number,
  withinSeconds: number,
  onSample: () => Promise<void> | void = () => {},
): Promise<Rest> {
  const from = performance.now()
  const samples: (Resident & { readonly cpu: number })[] = []
  let [cpuBefore, at] = [cpuSeconds([pid]), performance.now()]
  for (;;) {
    await delay(1000)
    const [cpu, now] = [cpuSeconds([pid]), performance.now()]
    samples.push({ ...residentOf(pid), cpu: ((cpu - cpuBefore) * 1000) / (now - at) })
    ;[cpuBefore, at] = [cpu, now]
    if (samples.length > QUIET_SECONDS) samples.shift()
    await onSample()
    const waitedSeconds = (performance.now() - from) / 1000
    const isQuiet = waitedSeconds >= SETTLED_SECONDS && samples.length === QUIET_SECONDS && isAtRest(samples)
    if (!isQuiet && waitedSeconds < withinSeconds) continue
    const of = (name: keyof Resident): number => median(samples.map((sample) => sample[name]))
    return { isQuiet, waitedSeconds, rss: of('rss'), pss: of('pss'), anonymous: of('anonymous') }
  }
}

export function isAtRest(samples: readonly { readonly rss: number; readonly cpu: number }[]): boolean {
  const rss = samples.map((sample) => sample.rss)
  const [least, greatest] = [Math.min(...rss), Math.max(...rss)]
  const cpu = samples.reduce((sum, sample) => sum + sample.cpu, 0) / samples.length
  return cpu <= CPU_SHARE_MAX && greatest - least <= Math.max(RSS_CHANGE_BYTES, greatest * RSS_CHANGE_MAX)
}
