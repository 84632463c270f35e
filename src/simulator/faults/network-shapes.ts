// The shapes in which networks fall apart: which directed ways are cut. Pure. Host names in, pairs out.

import type { SeededRandom } from '../seeded-random.ts'

export type Cut = readonly [from: string, to: string]

function between(as: readonly string[], bs: readonly string[]): Cut[] {
  return as.flatMap((a) =>
    bs.flatMap((b): Cut[] =>
      a === b
        ? []
        : [
            [a, b],
            [b, a],
          ],
    ),
  )
}

export function isolate(random: SeededRandom, hosts: readonly string[]): Cut[] {
  const alone = random.pick(hosts)
  return between([alone], hosts)
}

/** Two sides, each complete in itself. */
export function split(random: SeededRandom, hosts: readonly string[]): Cut[] {
  const mixed = random.shuffle(hosts)
  const at = random.integer(1, Math.ceil(hosts.length / 2) + 1)
  return between(mixed.slice(0, at), mixed.slice(at))
}

/** Everybody sees only two neighbours: every majority is another one. */
export function ring(random: SeededRandom, hosts: readonly string[]): Cut[] {
  const mixed = random.shuffle(hosts)
  const isNeighbour = (i: number, j: number): boolean => Math.abs(i - j) === 1 || Math.abs(i - j) === mixed.length - 1
  return mixed.flatMap((a, i) => mixed.flatMap((b, j): Cut[] => (i !== j && !isNeighbour(i, j) ? [[a, b]] : [])))
}

/** Two sides that only one host in the middle sees both of. */
export function bridge(random: SeededRandom, hosts: readonly string[]): Cut[] {
  const [, ...others] = random.shuffle(hosts)
  const at = Math.max(1, Math.floor(others.length / 2))
  return between(others.slice(0, at), others.slice(at))
}

export function oneWay(random: SeededRandom, hosts: readonly string[]): Cut[] {
  const [a, ...others] = random.shuffle(hosts) as [string, ...string[]]
  const count = random.integer(1, others.length + 1)
  return others.slice(0, count).map((b): Cut => [a, b])
}
