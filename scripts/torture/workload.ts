// The clients of a torture run: blind writers, one-client chains that carry their context, several clients that read, merge and write
// the same keys, idempotent writers, readers. Each books what it does; decides only what to do next. All stop when they are told to.

import { setTimeout as delay } from 'node:timers/promises'
import type { AuditedClient, Done } from './audited-client.ts'

const WRITES_PER_BLIND_KEY = 12
const WRITES_PER_CHAIN = 30
const SHARED_KEYS = 6
const WRITES_PER_SHARED_KEY = 40
const RETRIES_MAX = 60
let workloads = 0

export interface WorkloadOptions {
  /** Of each kind of client. */
  readonly clients: number
  /** A pause between one client's operations, so that small machines have time for the nodes. */
  readonly paceMs: number
}

export class Workload {
  readonly #client: AuditedClient
  readonly #options: WorkloadOptions
  /** Keys of one workload are never another one's: its clients would not know what was written before. */
  readonly #run: number = ++workloads
  #stopping = false
  #work: Promise<unknown> = Promise.resolve()
  /** Keys written lately, for readers. */
  readonly #recent: string[] = []

  constructor(client: AuditedClient, options: WorkloadOptions) {
    this.#client = client
    this.#options = options
  }

  begin(): void {
    const kinds = [this.#blind, this.#chain, this.#shared, this.#idempotent, this.#reader, this.#reader]
    this.#work = Promise.all(
      kinds.flatMap((kind, place) =>
        Array.from({ length: this.#options.clients }, (_, number) =>
          kind.call(this, `${this.#run}.${place}.${number}`),
        ),
      ),
    )
    // Whoever waits for the end sees the failure.
    this.#work.catch(() => {})
  }

  async end(): Promise<void> {
    this.#stopping = true
    await this.#work
  }

  async #blind(name: string): Promise<void> {
    const { audit } = this.#client
    for (let count = 0; !this.#stopping; count++) {
      const key = this.#touched(`blind-${name}-${Math.floor(count / WRITES_PER_BLIND_KEY)}`)
      await this.#client.write(audit.begin(key, 'put', new Set()), { sloppy: count % 2 === 0 })
      await this.#pause()
    }
  }

  /** One client that carries its context never sees siblings, as long as every write of it was answered. */
  async #chain(name: string): Promise<void> {
    const { audit, verdict } = this.#client
    for (let round = 0; !this.#stopping; round++) {
      const key = this.#touched(`chain-${name}-${round}`)
      let context: string | null = null
      let saw = new Set<string>()
      for (let i = 0; i < WRITES_PER_CHAIN && !this.#stopping; i++) {
        const isDeletion = i % 10 === 9
        const write = audit.begin(key, isDeletion ? 'delete' : 'put', saw)
        const done: Done = await this.#client.write(write, { context, sloppy: i % 3 !== 0 })
        // From here on nobody knows whether it is a chain still.
        if (done.outcome !== 'acknowledged') break
        verdict.hold(done.siblings <= 1, `${key}: a chain's put saw ${done.siblings} siblings`)
        context = done.context ?? context
        saw = new Set([...saw, write.id])
        await this.#pause()
        const read = await this.#client.read(key, { context, strictly: i % 2 === 0 })
        if (read === null) continue
        verdict.count('chain reads')
        const wanted = isDeletion ? '' : write.id
        verdict.hold(
          read.visible.join() === wanted,
          `${key}: a chain that had written ${wanted || 'a deletion'} reads ${read.visible.join() || 'nothing'}`,
        )
        context = read.context ?? context
      }
      await this.#pause()
    }
  }

  async #shared(name: string): Promise<void> {
    const { audit } = this.#client
    const random = this.#client.random.fork(name)
    for (let count = 0; !this.#stopping; count++) {
      const generation = Math.floor(count / WRITES_PER_SHARED_KEY)
      const key = this.#touched(`shared-${this.#run}-${generation}-${random.integer(0, SHARED_KEYS)}`)
      const read = await this.#client.read(key, { strictly: count % 2 === 0 })
      await this.#pause()
      if (read === null || (read.visible.length > 0 && read.context === null)) continue
      const saw = audit.closure(key, read.visible)
      await this.#client.write(audit.begin(key, 'put', saw), { context: read.context, sloppy: count % 3 !== 0 })
      await this.#pause()
    }
  }

  /** Sends each write again, through whichever node, until it is acknowledged; now and then once more after that. */
  async #idempotent(name: string): Promise<void> {
    const { audit } = this.#client
    for (let count = 0; !this.#stopping; count++) {
      const key = this.#touched(`idem-${name}-${Math.floor(count / 6)}`)
      const write = audit.begin(key, 'put', new Set())
      for (let attempt = 0; attempt < RETRIES_MAX; attempt++) {
        const done = await this.#client.write(write, { idempotencyKey: write.id })
        if (done.outcome === 'acknowledged') break
        await delay(50)
      }
      if (count % 3 === 0) await this.#client.write(write, { idempotencyKey: write.id })
      await this.#pause()
    }
  }

  async #reader(name: string): Promise<void> {
    const random = this.#client.random.fork(name)
    while (!this.#stopping) {
      if (this.#recent.length > 0) await this.#client.read(random.pick(this.#recent))
      await this.#pause()
    }
  }

  #touched(key: string): string {
    if (this.#recent.at(-1) !== key) this.#recent.push(key)
    if (this.#recent.length > 200) this.#recent.shift()
    return key
  }

  /** While nobody serves, refusals teach nothing, and take the time that nodes need to start. */
  async #pause(): Promise<void> {
    do await delay(this.#options.paceMs)
    while (!this.#stopping && this.#client.cluster.serving.length === 0)
  }
}
