// The simulator's time: a queue of events in (time, order of creation), run one by one with all microtasks drained between.
// Knows nothing of nodes. Invariant: nothing but this queue advances time, so one seed gives one history.

import { setFlagsFromString } from 'node:v8'
import { invariant } from '../errors.ts'
import type { Timer } from '../ports/clock.ts'

interface Event extends Timer {
  readonly at: number
  readonly order: number
  run: (() => void) | null
}

// Draining microtasks by a native call costs a tenth of a setImmediate for each event.
setFlagsFromString('--allow-natives-syntax')
const drainMicrotasks: () => void = compileCheckpoint()

/** After this many events the real event loop gets a turn, so that test time-outs and signals still work. */
const EVENTS_PER_TURN = 20_000

export class VirtualTime {
  #now = 0
  #order = 0
  #events = 0
  #running = false
  readonly #heap: Event[] = []

  /** True milliseconds since the simulation began. */
  get now(): number {
    return this.#now
  }

  /** Events run so far. */
  get events(): number {
    return this.#events
  }

  get idle(): boolean {
    this.#dropCancelled()
    return this.#heap.length === 0
  }

  /** Runs `callback` at this true time (now, when it has passed), after all that was scheduled before for the same time. */
  at(time: number, callback: () => void): Timer {
    const event: Event = {
      at: time > this.#now ? time : this.#now,
      order: this.#order++,
      run: callback,
      cancel() {
        event.run = null
      },
    }
    this.#push(event)
    return event
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.at(this.#now + delayMs, callback)
  }

  /** Runs until no event is left. Rejects beyond `eventsMax`: something keeps itself alive. */
  async runUntilIdle(eventsMax: number = 10_000_000): Promise<void> {
    const last = this.#events + eventsMax
    await this.#run(() => this.#events >= last, Infinity)
    invariant(this.idle, 'the simulation did not become idle')
  }

  /** Runs all events up to and including this true time, which then is now. */
  async runUntil(time: number): Promise<void> {
    await this.#run(() => false, time)
    if (this.#now < time) this.#now = time
  }

  async runFor(milliseconds: number): Promise<void> {
    await this.runUntil(this.#now + milliseconds)
  }

  /** Runs until the condition holds (true) or that much time has passed or nothing is left (false). */
  async runUntilCondition(condition: () => boolean, limitMs: number = 600_000): Promise<boolean> {
    const last = this.#now + limitMs
    await this.#run(condition, last)
    const held = condition()
    if (!held && this.#now < last) this.#now = last
    return held
  }

  /** Runs until the promise settles, and returns what it did; throws when it is still pending after `limitMs`. */
  async settle<T>(promise: Promise<T>, limitMs: number = 600_000): Promise<T> {
    let settled = false
    const mark = (): void => {
      settled = true
    }
    promise.then(mark, mark)
    await this.runUntilCondition(() => settled, limitMs)
    invariant(settled, `a promise is still pending after ${limitMs} simulated ms`)
    return promise
  }

  #run(stop: () => boolean, until: number): Promise<void> {
    invariant(!this.#running, 'the simulation runs already')
    this.#running = true
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        try {
          assertDrains()
          for (let i = 0; i < EVENTS_PER_TURN; i++) {
            if (stop() || !this.#step(until)) {
              this.#running = false
              return resolve()
            }
          }
        } catch (error) {
          this.#running = false
          return reject(error)
        }
        setImmediate(turn)
      }
      setImmediate(turn)
    })
  }

  #step(until: number): boolean {
    this.#dropCancelled()
    const event = this.#heap[0]
    if (event === undefined || event.at > until) return false
    this.#pop()
    this.#now = event.at
    this.#events++
    const run = event.run
    event.run = null
    run?.()
    drainMicrotasks()
    return true
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0]?.run === null) this.#pop()
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Event
      if (!before(event, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const moved = heap.pop()
    if (moved === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++
      const below = heap[child] as Event
      if (!before(below, moved)) break
      heap[at] = below
      at = child
    }
    heap[at] = moved
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function compileCheckpoint(): () => void {
  const compiled: unknown = new Function('%PerformMicrotaskCheckpoint()')
  invariant(typeof compiled === 'function', 'natives syntax is unavailable')
  return () => {
    compiled.call(undefined)
  }
}

// Inside a microtask the checkpoint silently does nothing, and every history would differ; this notices.
function assertDrains(): void {
  let drained = false
  void Promise.resolve().then(() => {
    drained = true
  })
  drainMicrotasks()
  invariant(drained, 'microtasks are not drained between events')
}

/** Resolves that much later. Time does not pass by itself: somebody else must run it. */
export function wait(time: VirtualTime, milliseconds: number): Promise<void> {
  return new Promise((resolve) => void time.after(milliseconds, resolve))
}
