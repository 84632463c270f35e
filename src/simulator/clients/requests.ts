// One client's requests: sent to a coordinator, waited for with a client's patience, handed to the observation and to the client's memory.
// Chooses nothing, judges nothing but silence. Invariant: a key is busy exactly while a request on it is under way.

import type {
  Coordinator,
  Deleted,
  DeleteOptions,
  Failure,
  Found,
  GetOptions,
  ListOutcome,
  NotFound,
  PutOptions,
  Stored,
} from '../../coordinator/operations.ts'
import { checkListing, expectListed } from '../checkers/listing.ts'
import type { KeyHistory, WriteRecord } from '../history.ts'
import type { Observation } from '../observation.ts'
import type { Observed, ObservedFailure } from '../observed.ts'
import { describeOptions, describeOutcome } from '../describe.ts'
import type { Host } from '../simulated-cluster.ts'
import { tally, type World } from '../world.ts'
import type { Memory } from './memory.ts'

/** A PUT as it is sent, once or again. */
export interface PutRequest {
  readonly key: KeyHistory
  readonly write: WriteRecord
  readonly options: PutOptions
}

type KeyRequest = Pick<ObservedFailure, 'kind' | 'key' | 'write' | 'options'>
type Answer = Found | NotFound | Stored | Deleted

const ANSWERS: ReadonlySet<string> = new Set<Answer['type']>(['found', 'not-found', 'stored', 'deleted'])

/** How long beyond its time-out a client waits before it gives the connection up. */
const PATIENCE_MS = 2500
const LIST_TIMEOUT_MS = 1500
const PAGES_MAX = 200

export class Requests {
  readonly #client: string
  readonly #world: World
  readonly #observation: Observation
  readonly #memory: Memory
  /** Sent so far. */
  count = 0

  constructor(client: string, world: World, observation: Observation, memory: Memory) {
    this.#client = client
    this.#world = world
    this.#observation = observation
    this.#memory = memory
  }

  put(request: PutRequest, host: Host): Promise<void> {
    const { key, write, options } = request
    const start = (coordinator: Coordinator): Promise<Stored | Failure> => coordinator.put(options)
    // One more attempt: what was certain of the earlier ones is no longer certain of the write.
    if (write.fate === 'void') write.fate = 'pending'
    return this.#send({ kind: 'put', key, write, options }, host, start, (observed, outcome) => {
      this.#observation.written({ ...observed, write, options, outcome })
      this.#memory.learn(key, outcome.context)
    })
  }

  /** Null: it failed. */
  async get(key: KeyHistory, options: GetOptions, host: Host): Promise<Found | NotFound | null> {
    const start = (coordinator: Coordinator): Promise<Found | NotFound | Failure> => coordinator.get(options)
    let answer: Found | NotFound | null = null
    await this.#send({ kind: 'get', key, write: null, options }, host, start, (observed, outcome) => {
      answer = outcome
      this.#observation.read({ ...observed, options, outcome })
      this.#memory.learn(key, outcome.context)
      this.#memory.learnEtag(key, outcome.type === 'found' ? outcome.etag : null)
    })
    return answer
  }

  delete(key: KeyHistory, options: DeleteOptions, host: Host): Promise<void> {
    const start = (coordinator: Coordinator): Promise<Deleted | Failure> => coordinator.delete(options)
    return this.#send({ kind: 'delete', key, write: null, options }, host, start, (observed, outcome) => {
      this.#observation.written({ ...observed, write: null, options, outcome })
      this.#memory.learn(key, outcome.context)
    })
  }

  /** All pages, one after the other. */
  async list(bucket: string, limit: number, host: Host): Promise<void> {
    const keys = this.#world.history.ofBucket(bucket)
    for (const key of keys) key.busy++
    await this.#pages(bucket, limit, host)
    for (const key of keys) key.busy--
  }

  async #pages(bucket: string, limit: number, host: Host): Promise<void> {
    const expected = expectListed(this.#world, bucket)
    const listed: string[] = []
    let cursor: string | null = null
    for (let page = 0; page < PAGES_MAX; page++) {
      const options = { bucket, prefix: '', limit, cursor, timeoutMs: LIST_TIMEOUT_MS }
      const start = (coordinator: Coordinator): Promise<ListOutcome> => coordinator.list(options)
      const outcome: ListOutcome | null = await this.#ask(host, LIST_TIMEOUT_MS, start, `list ${bucket}`)
      tally(this.#world.operations, `list ${outcome?.type ?? 'broken'}`)
      if (outcome?.type !== 'page') return
      listed.push(...outcome.keys)
      cursor = outcome.cursor
      if (!outcome.more) return checkListing(this.#world, bucket, host.name, expected, listed)
    }
    this.#world.violations.add('listing', `${bucket} through ${host.name} has no end`)
  }

  /** What requests on one key share: who judges the outcome is told what held when it began; `answered` takes what is no failure. */
  async #send<A extends Answer>(
    request: KeyRequest,
    host: Host,
    start: (coordinator: Coordinator) => Promise<A | Failure>,
    answered: (observed: Observed, outcome: A) => void,
  ): Promise<void> {
    const { kind, key, write, options } = request
    const before = this.#observation.before(key)
    if (write) write.open++
    key.busy++
    const what = `${kind} ${key.name}${write ? ` ${write.id}` : ''}`
    const outcome = await this.#ask(host, options.timeoutMs, start, what, describeOptions(options))
    if (write) write.open--
    key.busy--
    const observed = { ...before, key, client: this.#client, host: host.name, endedAt: this.#world.cluster.time.now }
    if (outcome === null) this.#observation.broken(kind, write, observed.endedAt)
    else if (isFailure(outcome)) this.#observation.failed({ ...observed, kind, write, options, outcome })
    else answered(observed, outcome)
  }

  /** Null: the connection broke, or no answer came. */
  async #ask<T extends Answer | Failure | ListOutcome>(
    host: Host,
    timeoutMs: number,
    start: (coordinator: Coordinator) => Promise<T>,
    what: string,
    how = '',
  ): Promise<T | null> {
    const { cluster, trace, violations } = this.#world
    const { node, process } = host
    if (!node || !process) return null
    this.count++
    trace(`${this.#client} → ${host.name} ${what}${how}`)
    const startedAt = cluster.time.now
    const outcome = await new Promise<T | null>((resolve, reject) => {
      let isOver = false
      const check = (): void => {
        if (isOver) return
        if (host.node !== node) return resolve(null)
        const late = cluster.time.now - startedAt > timeoutMs + PATIENCE_MS
        if (!late) return void cluster.time.after(20, check)
        if (this.#observation.stability.isClearSince(host.name, startedAt - 1000)) {
          violations.add(
            'G11',
            `${host.name} never answered ${what}, asked at ${startedAt.toFixed(1)} with ${timeoutMs} ms`,
          )
        }
        resolve(null)
      }
      cluster.time.after(20, check)
      start(node.coordinator)
        .finally(() => {
          isOver = true
        })
        .then(resolve, reject)
    })
    trace(`${this.#client} ← ${host.name} ${what}: ${describeOutcome(outcome)}`)
    return outcome
  }
}

function isFailure(outcome: Answer | Failure): outcome is Failure {
  return !ANSWERS.has(outcome.type)
}
