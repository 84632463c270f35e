// Growth of one server's resident memory: empty, with all keys, after churn. Decides the steps, the same for every server, and what
// counts as failed; prints nothing. Invariant: no figure is returned of a server that gave wrong answers or kept what must be gone.

import { setTimeout as delay } from 'node:timers/promises'
import { ABSENT, type Dialect, type Task } from '../parts/dialects.ts'
import { checked, Driver } from '../parts/driver.ts'
import { atRest, type Rest } from '../parts/proc.ts'
import type { Server } from '../parts/servers.ts'
import { each, fateOf, loading, reading, spotChecks, versionAfterChurn } from '../parts/tasks.ts'

/** Written, read and deleted before a process counts as empty, so that what any request needs is there. */
export const WARM_UP_KEYS = 32
const SPOT_CHECKS = 1000
/** Short, but not so short that it is over before the last key has it. */
const EXPIRY_SECONDS = 5
const REST_SECONDS_MAX = 180
const GONE_SECONDS_MAX = 600

export interface Growth extends Rest {
  readonly live: number
  readonly bytesPerKey: number
  readonly anonymousPerKey: number
}

export interface Measured {
  readonly empty: Rest
  readonly loaded: Growth
  readonly churned: Growth
  readonly loadedPerSecond: number
  readonly churnedPerSecond: number
  /** From the end of the churn until nothing was left of what was deleted and expired. */
  readonly goneSeconds: number
}

export interface Terms {
  readonly keys: number
  readonly ttlSeconds: number
  readonly say: (line: string) => void
}

export async function measureGrowth(server: Server, dialect: Dialect, terms: Terms): Promise<Measured> {
  const { keys, ttlSeconds } = terms
  const say = (line: string): void => terms.say(`${server.name}: ${line}`)
  const driver = new Driver(server.port, dialect, server.pace)
  const run = async (what: string, next: () => Task | null): Promise<number> =>
    checked(`${server.name}, ${what}`, await driver.run(next)).perSecond
  const growth = async (live: number, empty: Rest): Promise<Growth> => {
    const rest = await atRest(server.pid, REST_SECONDS_MAX)
    const bytesPerKey = (rest.rss - empty.rss) / live
    say(`${bytesPerKey.toFixed(1)} bytes for each of ${live} keys${rest.isQuiet ? '' : ' (not at rest)'}`)
    return { ...rest, live, bytesPerKey, anonymousPerKey: (rest.anonymous - empty.anonymous) / live }
  }
  try {
    await warmUp(run, keys)
    await untilKeys(server, 0)
    const empty = await atRest(server.pid, REST_SECONDS_MAX)
    say(`empty, ${(empty.rss / 1e6).toFixed(1)} MB after ${empty.waitedSeconds.toFixed(0)} s`)

    const loadedPerSecond = await run('load', loading(0, keys, ttlSeconds))
    say(`loaded, ${loadedPerSecond.toFixed(0)}/s`)
    await mustHold(server, keys)
    const loaded = await growth(keys, empty)
    await run(
      'reads after the load',
      spotChecks(SPOT_CHECKS, keys, () => 1),
    )

    const churnedPerSecond = await run(
      'churn',
      each(keys, (index) => churn(index, ttlSeconds)),
    )
    say(`churned, ${churnedPerSecond.toFixed(0)}/s`)
    const from = performance.now()
    // The deadline of the last one, and what clocks may differ by.
    await delay((EXPIRY_SECONDS + 1) * 1000)
    // Redis finds most of what has expired only when it is asked for; so all of it is asked for, here and there.
    await run(
      'reads of what expired',
      each(keys, (index) => (fateOf(index) === 'expired' ? reading(index, ABSENT) : null)),
    )
    const live = liveAfterChurn(keys)
    await untilKeys(server, live)
    const goneSeconds = (performance.now() - from) / 1000
    const churned = await growth(live, empty)
    await run('reads after the churn', spotChecks(SPOT_CHECKS, keys, versionAfterChurn))
    return { empty, loaded, churned, loadedPerSecond, churnedPerSecond, goneSeconds }
  } finally {
    driver.close()
  }
}

/** Keys of their own, behind those that are measured. */
async function warmUp(run: (what: string, next: () => Task | null) => Promise<number>, keys: number): Promise<void> {
  const to = keys + WARM_UP_KEYS
  const one = (kind: 'get' | 'delete'): (() => Task | null) => {
    let index = keys
    return () => (index < to ? { kind, index: index++, version: 1, ttlSeconds: null, creates: false } : null)
  }
  await run('warm-up', loading(keys, to, null))
  await run('warm-up', one('get'))
  await run('warm-up', one('delete'))
}

function churn(index: number, ttlSeconds: number): Task | null {
  const fate = fateOf(index)
  if (fate === 'kept') return null
  if (fate === 'deleted') return { kind: 'delete', index, version: 1, ttlSeconds: null, creates: false }
  return {
    kind: 'put',
    index,
    version: 2,
    ttlSeconds: fate === 'expired' ? EXPIRY_SECONDS : ttlSeconds,
    creates: false,
  }
}

function liveAfterChurn(keys: number): number {
  let live = 0
  for (let index = 0; index < keys; index++) if (versionAfterChurn(index) !== ABSENT) live++
  return live
}

async function mustHold(server: Server, keys: number): Promise<void> {
  const held = await server.keys()
  if (held !== keys) throw new Error(`${server.name} holds ${held} keys, not ${keys}`)
}

/** Until it holds no more than so many keys: what was deleted or has expired takes no room any more. */
async function untilKeys(server: Server, keys: number): Promise<void> {
  const giveUpAt = performance.now() + GONE_SECONDS_MAX * 1000
  for (;;) {
    const held = await server.keys()
    if (held === keys) return
    if (held < keys) throw new Error(`${server.name} has lost keys: ${held} of ${keys}`)
    if (performance.now() > giveUpAt)
      throw new Error(`${server.name} still holds ${held} keys after ${GONE_SECONDS_MAX} s, of which ${keys} are live`)
    await delay(500)
  }
}
