// One client of `--merge`: reads all siblings with their context, merges them with the user's function, makes an edit and writes on top of
// what it read. Chooses keys, nodes and pauses from random streams of its own. Invariant: one cycle at a time, and a value is only ever
// written under the context of the siblings that it was made of.

import type { KeyOptions } from '../../coordinator/operations.ts'
import type { CausalContext } from '../../core/causality/context-token.ts'
import { DotSet } from '../../core/causality/dot-set.ts'
import type { Version } from '../../core/causality/version.ts'
import { invariant } from '../../errors.ts'
import { Memory } from '../clients/memory.ts'
import { Requests } from '../clients/requests.ts'
import { type KeyHistory, WriteRecord } from '../history.ts'
import type { Observation } from '../observation.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { Host } from '../simulated-cluster.ts'
import { payloadOf, valueWith } from '../values.ts'
import { wait } from '../virtual-clock.ts'
import type { World } from '../world.ts'
import type { Edit, Json, MergeFunction } from './merge-function.ts'
import type { MergeLaws } from './merge-laws.ts'
import type { MergeLedger } from './merge-ledger.ts'

export interface MergeParts {
  readonly world: World
  readonly observation: Observation
  readonly merging: MergeFunction
  readonly laws: MergeLaws
  readonly ledger: MergeLedger
  readonly keys: readonly KeyHistory[]
}

/** What a client read: one value, whatever it was made of, and what a write on top of it must say that it saw. */
interface Read {
  readonly value: Json
  readonly siblings: number
  readonly context: CausalContext | null
}

/** Between two edits, and between reading and writing: long enough for others to write meanwhile. */
const MEAN_PAUSE_MS = 300
const MEAN_EDIT_MS = 80

export class MergeClient {
  readonly name: string
  readonly #parts: MergeParts
  readonly #requests: Requests
  readonly #random: SeededRandom
  #writes = 0

  constructor(parts: MergeParts, index: number) {
    this.name = `c${index}`
    this.#parts = parts
    this.#random = parts.world.cluster.random.fork(`merging client ${index}`)
    this.#requests = new Requests(this.name, parts.world, parts.observation, new Memory('careful'))
  }

  get operations(): number {
    return this.#requests.count
  }

  async run(until: () => boolean): Promise<void> {
    const { world, keys } = this.#parts
    for (;;) {
      await wait(world.cluster.time, this.#random.exponential(MEAN_PAUSE_MS))
      if (until()) return
      const host = this.#serving()
      if (host) await this.#edit(this.#random.pick(keys), host)
    }
  }

  /** Reads, merges, and writes what came of it where it was more than one; the value as this client now sees it, or null. */
  async settle(key: KeyHistory, host: Host): Promise<Json | null> {
    const read = await this.#read(key, host)
    if (read === null) return null
    if (read.siblings > 1) await this.#write(this.#newWrite(key, this.#nextId(), read), read, read.value, key, host)
    return read.value
  }

  async #edit(key: KeyHistory, host: Host): Promise<void> {
    const { world, merging, ledger } = this.#parts
    const read = await this.#read(key, host)
    if (read === null) return
    await wait(world.cluster.time, this.#random.exponential(MEAN_EDIT_MS))
    // Often through another node than it read from.
    const through = this.#random.chance(0.5) && host.serving ? host : this.#serving()
    if (through === null) return
    const number = ledger.edits.filter((made) => made.key === key).length + 1
    const edit: Edit = { id: this.#nextId(), client: this.name, number }
    const value = merging.change(read.value, edit, () => this.#random.next())
    const write = this.#newWrite(key, edit.id, read)
    ledger.edits.push({ ...edit, key, write })
    await this.#write(write, read, value, key, through)
  }

  /** Null: the read failed. */
  async #read(key: KeyHistory, host: Host): Promise<Read | null> {
    const { merging, laws, ledger, world } = this.#parts
    const outcome = await this.#requests.get(key, this.#options(key), host)
    if (outcome === null) return null
    const { context } = outcome
    if (outcome.type === 'not-found') return { value: merging.initial, siblings: 0, context }
    const siblings = outcome.versions.map(jsonOf)
    const [only] = siblings
    if (siblings.length === 1 && only !== undefined) return { value: only, siblings: 1, context }
    const merged = laws.examine(merging, siblings)
    ledger.merges.push({ client: this.name, at: world.cluster.time.now, key, siblings, merged })
    return { value: merged, siblings: siblings.length, context }
  }

  #nextId(): string {
    return `${this.name}-${++this.#writes}`
  }

  #newWrite(key: KeyHistory, id: string, { context }: Read): WriteRecord {
    const startedAt = this.#parts.world.cluster.time.now
    const seen = context?.seen ?? DotSet.empty()
    const write = new WriteRecord({ id, kind: 'put', startedAt, ttlMs: null, context: seen, tagged: false })
    key.note(write)
    return write
  }

  async #write(write: WriteRecord, { context }: Read, value: Json, key: KeyHistory, host: Host): Promise<void> {
    const bytes = valueWith({ bucket: key.bucket, key: key.key, writeId: write.id }, JSON.stringify(value))
    const content = { contentType: 'text/plain', meta: [['write', write.id] as const], bytes }
    const options = { ...this.#options(key), content, ...(context && { context }) }
    await this.#requests.put({ key, write, options }, host)
  }

  #options(key: KeyHistory): KeyOptions {
    return { bucket: key.bucket, key: key.key, timeoutMs: this.#random.pick([400, 1000, 2500]), explain: true }
  }

  #serving(): Host | null {
    const { serving } = this.#parts.world.cluster
    return serving.length > 0 ? this.#random.pick(serving) : null
  }
}

function jsonOf({ content }: Version): Json {
  const payload = content && payloadOf(content.bytes)
  invariant(payload !== null, 'a value that no client of this run wrote')
  return JSON.parse(payload) as Json
}
