// Directories that are not what their node believes: wiped, copied and started a second time, put back from an old copy; one at a time, each
// repaired before the next. Nothing acknowledged is lost, no version's name is given twice, nothing superseded is back. What nobody can
// know is not held: a storage that has forgotten without losing its identity makes strict reads miss something until it is repaired;
// those are counted. Reads that carry a context are right all the time.

import { cpSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../../../src/simulator/seeded-random.ts'
import { Audit } from '../audit.ts'
import { AuditedClient } from '../audited-client.ts'
import { Cluster } from '../cluster.ts'
import { converge } from '../convergence.ts'
import { checkEverything, checkKeys } from '../final-check.ts'
import type { NodeProcess } from '../node-process.ts'
import { type StoryOptions, Verdict } from '../verdict.ts'
import { until, within } from '../waiting.ts'
import { Workload } from '../workload.ts'

const WRITES_LEAST = 60
const TWIN_LIVES_MS = [1000, 6000] as const
const REFUSED_WITHIN_MS = 30_000

export async function identity({ cycles, short, random, say }: StoryOptions): Promise<Verdict> {
  const verdict = new Verdict()
  await using cluster = await Cluster.start({ args: ['--log-level', 'warn'] })
  say(`five nodes serve; data and logs in ${cluster.folder}`)
  const client = new AuditedClient(cluster, new Audit(), verdict, 'torture', random)
  const story = new Identities(client, random.fork('directories'), short)
  for (let count = 0; count < Math.max(1, cycles); count++) {
    await story.underLoad((node) => story.wiped(node))
    await story.underLoad((node) => (count % 2 === 0 ? story.twin(node) : story.impostors(node)))
    await story.underLoad((node) => story.restored(node))
    say(`${count + 1} of each`)
  }
  await checkEverything(client)
  return verdict
}

class Identities {
  readonly #client: AuditedClient
  readonly #random: SeededRandom
  readonly #short: boolean

  constructor(client: AuditedClient, random: SeededRandom, short: boolean) {
    this.#client = client
    this.#random = random
    this.#short = short
  }

  /** Does it to some node under load, waits until all is repaired, and reads again what was written meanwhile. */
  async underLoad(what: (node: NodeProcess) => Promise<void>): Promise<void> {
    const { cluster, audit, verdict } = this.#client
    const known = new Set(audit.keys)
    const workload = new Workload(this.#client, { clients: 1, paceMs: this.#short ? 10 : 5 })
    workload.begin()
    await this.#written()
    await what(this.#random.pick(cluster.nodes))
    await this.#written()
    await workload.end()
    await converge(cluster, verdict)
    this.#client.judgesFreshness = true
    const written = audit.keys.filter((key) => !known.has(key))
    await checkKeys(this.#client, written)
  }

  async wiped(node: NodeProcess): Promise<void> {
    await node.kill()
    node.wipe()
    this.#client.verdict.inject('directory wiped')
    node.start()
    await node.ready()
  }

  /** An old copy of the directory is put back after more was written: it says that it has what it has not. */
  async restored(node: NodeProcess): Promise<void> {
    const old = `${node.plan.dir}-old`
    await node.kill()
    copyOf(node, old)
    node.start()
    await node.ready()
    await this.#written()
    this.#client.judgesFreshness = false
    await node.kill()
    node.wipe()
    renameSync(old, node.plan.dir)
    this.#client.verdict.inject('old copy of a directory put back')
    node.start()
    await node.ready()
  }

  /** A copy of the directory is started elsewhere under the same name, while the first runs, and clients use both. */
  async twin(node: NodeProcess): Promise<void> {
    const { cluster, verdict } = this.#client
    const dir = join(cluster.folder, 'twin')
    // As a snapshot of the file system would be.
    node.signal('SIGSTOP')
    copyOf(node, dir)
    node.signal('SIGCONT')
    this.#client.judgesFreshness = false
    const twin = await cluster.another(node.name, dir)
    try {
      twin.start()
      verdict.inject('copy of a directory started under the same name')
      await until('the twin has served or ended', () => twin.saidReady || !twin.running, REFUSED_WITHIN_MS)
      if (twin.saidReady) this.#client.strangers.push(twin)
      const [least, most] = TWIN_LIVES_MS
      const exit = await within(least + this.#random.next() * (this.#short ? 1 : most - least), twin.exited)
      verdict.count(twin.saidReady ? 'twins that served' : 'twins that did not serve')
      if (exit !== null) verdict.count(`twins that ended by themselves, with ${exit.code ?? exit.signal}`)
      verdict.count(node.running ? 'originals that lived on beside a twin' : 'originals that ended because of a twin')
    } finally {
      this.#client.strangers.length = 0
      await twin.kill()
      rmSync(dir, { recursive: true, force: true })
    }
    if (node.running) return
    node.start()
    await node.ready()
  }

  /** A copy under another member's name, and a second process on the very directory, are turned away, and change nothing. */
  async impostors(node: NodeProcess): Promise<void> {
    const { cluster, verdict } = this.#client
    const dir = join(cluster.folder, 'impostor')
    node.signal('SIGSTOP')
    copyOf(node, dir)
    node.signal('SIGCONT')
    const other = this.#random.pick(cluster.nodes.filter(({ name }) => name !== node.name))
    const cases = [
      ['a copy of a directory under another name', await cluster.another(other.name, dir)],
      ['a second process on a directory', await cluster.another(node.name, node.plan.dir)],
    ] as const
    for (const [what, impostor] of cases) {
      try {
        impostor.start()
        verdict.inject(`${what}`)
        const exit = await within(REFUSED_WITHIN_MS, impostor.exited)
        verdict.hold(exit?.code === 1, `${what} ended with ${exit?.code ?? exit?.signal ?? 'nothing, in time'}`)
        verdict.hold(!impostor.saidReady, `${what} said that it was ready`)
      } finally {
        await impostor.kill()
      }
    }
    rmSync(dir, { recursive: true, force: true })
    verdict.hold(node.running && other.running, 'a member ended because of an impostor')
  }

  async #written(): Promise<void> {
    const { audit } = this.#client
    const enough = audit.acknowledgedCount + WRITES_LEAST
    await until('clients have written', () => audit.acknowledgedCount >= enough, 60_000)
    await delay(this.#random.next() * (this.#short ? 200 : 2000))
  }
}

/** But for the lock, which is a socket. */
function copyOf(node: NodeProcess, to: string): void {
  cpSync(node.plan.dir, to, { recursive: true, filter: (path) => !basename(path).startsWith('.') })
}
