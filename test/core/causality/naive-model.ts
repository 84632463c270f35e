// What causality means, without clocks: every event keeps the whole set of events before it, every home the whole set of events it has
// heard of, and nothing is ever forgotten. `World` drives it beside real homes, step by step, and throws where they differ.
// Invariant: a home's set of heard events is causally closed for each key; visible are its maximal elements.

import { compareDots, type Dot, formatDot } from '../../../src/core/causality/dot.ts'
import { DotSet } from '../../../src/core/causality/dot-set.ts'
import { EMPTY_VIEW, mergeViews, type Conflict, type View } from '../../../src/core/causality/view.ts'
import type { Step } from './schedules.ts'
import { Home, homesNamed, put, type Report, type Rules, type Snapshot, type Table, version } from './home.ts'

interface Event {
  readonly id: string
  readonly dot: Dot
  readonly key: string
  readonly isDeletion: boolean
  readonly stamp: number
  readonly past: ReadonlySet<string>
}

/** What a client holds for a key, in both worlds. */
interface Session {
  readonly seen: DotSet
  readonly stamp: number
  readonly known: ReadonlySet<string>
}

interface Message {
  readonly event: Event
  readonly view: View
  readonly target: number
  table: Table
  readonly acks: Map<string, number>
}

interface PendingRead {
  readonly key: string
  view: View
  known: Set<string>
  readonly asked: Set<number>
  readonly mustHold: ReadonlySet<string>
}

interface SnapshotInFlight {
  readonly to: number
  readonly snapshot: Snapshot
  readonly known: ReadonlySet<string>
}

const KEYS = ['x', 'y'] as const
const LIVES = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb', 'cccccccccccccccc'] as const

export class World {
  readonly homes: Home[]
  readonly #conflict: Conflict
  readonly #events = new Map<string, Event>()
  /** For each home, what it has heard of. */
  #known: Set<string>[]
  readonly #acknowledged = new Set<string>()
  /** Events that a deletion, collected somewhere on proof, had covered; a context may name them though its holder saw them not. */
  readonly #collected = new Set<string>()
  readonly #sessions = new Map<string, Session[]>(KEYS.map((key) => [key, []]))
  readonly #messages: Message[] = []
  readonly #reads: PendingRead[] = []
  readonly #snapshots: SnapshotInFlight[] = []
  readonly #reports = new Map<string, Report>()
  readonly #counters = new Map<string, number>()
  #tick = 0
  #wiped = false
  #damaged = false

  constructor(rules?: Rules, conflict: Conflict = 'siblings') {
    this.homes = homesNamed(['r0', 'r1', 'r2'], rules, conflict)
    this.#conflict = conflict
    this.#known = this.homes.map(() => new Set())
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) {
      this.#step(step)
      this.#compare()
    }
    this.#heal()
  }

  #step(step: Step): void {
    switch (step.op) {
      case 'put':
      case 'delete':
        return this.#write(step)
      case 'deliver':
      case 'duplicate': {
        const at = step.at % this.#messages.length
        const message = this.#messages[at]
        if (message && this.#deliver(message) && step.op === 'deliver') this.#messages.splice(at, 1)
        return
      }
      case 'lose':
        if (this.#messages.length > 0) this.#messages.splice(step.at % this.#messages.length, 1)
        return
      case 'read':
        this.#beginRead(KEYS[step.key]!, step.first)
        return this.#endRead(this.#reads.length - 1, step.second)
      case 'begin-read':
        return this.#beginRead(KEYS[step.key]!, step.home)
      case 'end-read':
        if (this.#reads.length > 0) this.#endRead(step.at % this.#reads.length, step.home)
        return
      case 'ask-snapshot':
        if (step.from !== step.to) this.#ask(step.from, step.to)
        return
      case 'take-snapshot': {
        const at = step.at % this.#snapshots.length
        const inFlight = this.#snapshots[at]
        if (inFlight) this.#take(inFlight)
        if (inFlight && !step.again) this.#snapshots.splice(at, 1)
        return
      }
      case 'report': {
        const reporting = this.homes[step.home]
        return this.#report(reporting ? [reporting] : this.homes)
      }
      case 'tend':
        return this.#tend(step.home, KEYS[step.key]!)
      case 'wipe':
        if (!this.#wiped && this.#mayLose()) {
          this.#wiped = true
          this.homes[step.home]!.wipe()
          this.#known[step.home] = new Set()
        }
        return
      case 'damage':
        if (!this.#damaged && this.#mayLose()) {
          this.#damaged = true
          const lost = KEYS.filter((_, i) => (step.keys >> i) & 1)
          this.homes[step.home]!.damage(lost)
          const known = [...this.#known[step.home]!].filter((id) => !lost.some((key) => key === this.#event(id).key))
          this.#known[step.home] = new Set(known)
        }
    }
  }

  /** W − 1 lost disks between two completed repairs. */
  #mayLose(): boolean {
    if (this.homes.some((home) => home.isFilling)) return false
    return [...this.#acknowledged].every((id) => this.#known.filter((known) => known.has(id)).length >= 2)
  }

  // ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #write(step: Extract<Step, { op: 'put' | 'delete' }>): void {
    const key = KEYS[step.key]!
    const sessions = this.#sessions.get(key)!
    const session =
      step.session < 0 ? undefined : sessions[sessions.length - 1 - (step.session % Math.max(1, sessions.length))]
    const life = LIVES[step.life]!
    const counter = (this.#counters.get(life) ?? 0) + 1
    this.#counters.set(life, counter)
    this.#tick += 1
    // Clocks of coordinators differ: blind writes may carry stamps out of order.
    const stamp = Math.max(this.#tick + step.life * 7, (session?.stamp ?? 0) + 1)
    const isDeletion = step.op === 'delete'
    const value = version(life, counter, isDeletion ? null : `${life[0]}${counter}`, { stamp })
    const id = formatDot(value.dot)
    const event: Event = { id, dot: value.dot, key, isDeletion, stamp, past: session?.known ?? new Set() }
    this.#events.set(id, event)
    const view = put(value, session?.seen)
    const acks = new Map<string, number>()
    const table = new Map(this.homes.map((home) => [home.name, home.storage] as const))
    let seen = this.homes[0]!.rules.answer(session?.seen ?? DotSet.empty(), value, NOBODY, key)
    this.homes.forEach((home, target) => {
      const message: Message = { event, view, target, table, acks }
      const isSentNow = ((step.homes >> target) & 1) === 1
      if (isSentNow && this.#deliver(message)) seen = home.rules.answer(seen, value, home, key)
      else this.#messages.push(message)
    })
    if (acks.size === 0) return
    const known = new Set([...event.past, id])
    this.#claimsOnly(key, seen, known, 'an answer')
    sessions.push({ seen, stamp, known })
  }

  /** Returns whether the home took it. */
  #deliver(message: Message): boolean {
    const { event, view, target, acks } = message
    const home = this.homes[target]!
    const ack = home.receive(event.key, view, message.table)
    if (ack === null) {
      // The coordinator learns of the new storage: what the old one had acknowledged is void.
      message.table = new Map(home.table)
      for (const [name, storage] of acks) if (home.table.get(name) !== storage) acks.delete(name)
      return false
    }
    for (const id of event.past) this.#known[target]!.add(id)
    this.#known[target]!.add(event.id)
    acks.set(home.name, ack.storage)
    if (acks.size >= 2) this.#acknowledged.add(event.id)
    return true
  }

  // ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #beginRead(key: string, home: number): void {
    const mustHold = new Set([...this.#acknowledged].filter((id) => this.#event(id).key === key))
    const read: PendingRead = { key, view: EMPTY_VIEW, known: new Set(), asked: new Set(), mustHold }
    this.#reads.push(read)
    this.#askHome(read, home)
  }

  #askHome(read: PendingRead, home: number): void {
    const view = this.homes[home]!.look(read.key)
    if (view === null) return
    read.view = mergeViews(read.view, view, this.#conflict)
    for (const id of this.#knownOf(home, read.key)) read.known.add(id)
    read.asked.add(home)
  }

  #endRead(at: number, home: number): void {
    const read = this.#reads[at]!
    if (!read.asked.has(home)) this.#askHome(read, home)
    this.#reads.splice(at, 1)
    if (read.asked.size < 2) return
    for (let round = 0; ; round++) {
      const refused = [...read.asked].flatMap((h) => {
        const there = this.homes[h]!
        if (there.isFilling) return []
        const dots = there.repair(read.key, read.view)
        for (const id of read.known) this.#known[h]!.add(id)
        return dots
      })
      if (refused.length === 0) break
      if (round > 3) throw new Error('a read does not come to an end')
      const without = {
        ...read.view,
        versions: read.view.versions.filter((v) => !refused.some((dot) => compareDots(dot, v.dot) === 0)),
      }
      read.view = without
      for (const h of read.asked) this.#askHome(read, h)
    }
    for (const id of read.mustHold)
      if (!read.known.has(id)) throw new Error(`a strict read of ${read.key} misses ${id}`)
    this.#same(`a read of ${read.key}`, read.view, read.known)
    this.#claimsOnly(read.key, read.view.seen, read.known, 'a read')
    const stamp = read.view.versions.reduce((greatest, v) => Math.max(greatest, v.stamp), 0)
    this.#sessions.get(read.key)!.push({ seen: read.view.seen, stamp, known: new Set(read.known) })
  }

  // ── healing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #ask(from: number, to: number): void {
    const snapshot = this.homes[from]!.snapshotFor(this.homes[to]!)
    this.#snapshots.push({ to, snapshot, known: new Set(this.#known[from]) })
  }

  #take({ to, snapshot, known }: SnapshotInFlight): void {
    if (!this.homes[to]!.takeSnapshot(snapshot)) return
    for (const id of known) this.#known[to]!.add(id)
  }

  #report(homes: readonly Home[]): void {
    for (const home of homes) {
      const report = home.report()
      if (report) this.#reports.set(report.home, report)
    }
  }

  #exchangeAll(): void {
    for (let round = 0; round < 2; round++) {
      for (let from = 0; from < 3; from++) {
        for (let to = 0; to < 3; to++) {
          if (from === to) continue
          this.#ask(from, to)
          this.#take(this.#snapshots.pop()!)
          this.#compare()
        }
      }
    }
  }

  #tend(at: number, key: string): void {
    for (const dot of this.homes[at]!.tend(key, [...this.#reports.values()])) {
      const event = this.#event(formatDot(dot))
      for (const id of [event.id, ...event.past]) this.#collected.add(id)
    }
  }

  /** Faults are over: full exchanges until nothing changes; then all agree, and nothing acknowledged is missing. */
  #heal(): void {
    this.#exchangeAll()
    for (const message of this.#messages) while (!this.#deliver(message));
    this.#compare()
    this.#exchangeAll()
    for (let round = 0; round < 2; round++) {
      this.#report(this.homes)
      for (const at of this.homes.keys()) for (const key of KEYS) this.#tend(at, key)
      this.#compare()
    }
    const [first, ...others] = this.homes
    for (const home of this.homes) if (home.isFilling) throw new Error(`${home.name} is still filling`)
    for (const other of others) {
      if (!other.clock.equals(first!.clock)) throw new Error(`clocks differ: ${first!.clock} and ${other.clock}`)
      for (const key of KEYS) {
        const [a, b] = [first!.look(key)!, other.look(key)!]
        const dots = (view: View): string => view.versions.map((v) => formatDot(v.dot)).join()
        if (dots(a) !== dots(b)) throw new Error(`${key} differs: ${dots(a)} and ${dots(b)}`)
        // What only a lost disk held, and a client had seen, blocks collection until its life is closed: clumsy, and safe.
        const isProvable = a.seen.isSubsetOf(first!.clock)
        if (isProvable && a.versions.some((v) => v.content === null))
          throw new Error(`a deletion of ${key} stays for ever`)
      }
    }
    for (const id of this.#acknowledged) {
      if (this.#known.some((known) => !known.has(id))) throw new Error(`${id} was acknowledged and is lost`)
    }
  }

  // ── judging ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #event(id: string): Event {
    return this.#events.get(id)!
  }

  #knownOf(home: number, key: string): string[] {
    return [...this.#known[home]!].filter((id) => this.#event(id).key === key)
  }

  #compare(): void {
    this.homes.forEach((home, i) => {
      for (const key of KEYS) {
        const record = home.records.get(key)
        for (const { dot } of record?.versions ?? []) {
          if (!home.clock.has(dot))
            throw new Error(`${home.name} holds ${formatDot(dot)} of ${key}, which its clock lacks`)
        }
        const view = home.look(key)
        if (view === null) continue
        this.#same(`${home.name} of ${key}`, view, new Set(this.#knownOf(i, key)))
        this.#claimsOnly(key, view.seen, this.#known[i]!, home.name)
      }
    })
  }

  /** Live versions are the live maximal events; deletions may have been collected, but none is held that is superseded. */
  #same(who: string, view: View, known: ReadonlySet<string>): void {
    const superseded = new Set<string>()
    for (const id of known) for (const before of this.#event(id).past) superseded.add(before)
    let maximal = [...known].filter((id) => !superseded.has(id))
    if (this.#conflict === 'lww' && maximal.length > 1) {
      const greatest = (a: string, b: string): string => {
        const [x, y] = [this.#event(a), this.#event(b)]
        return (x.stamp - y.stamp || compareDots(x.dot, y.dot)) > 0 ? a : b
      }
      maximal = [maximal.reduce(greatest)]
    }
    const name = (id: string): string => (this.#event(id).isDeletion ? '' : id)
    const expected = maximal.map(name).filter(Boolean).sort().join()
    const actual = view.versions
      .filter((v) => v.content !== null)
      .map((v) => formatDot(v.dot))
      .sort()
      .join()
    if (expected !== actual) throw new Error(`${who} shows {${actual}}, and {${expected}} is right`)
    for (const { dot, content } of view.versions) {
      // A deletion that another home collected on proof is in no context from there: it may stand beside a later one for a while.
      if (content === null && this.#collected.has(formatDot(dot))) continue
      if (!maximal.includes(formatDot(dot))) throw new Error(`${who} holds ${formatDot(dot)}, which is superseded`)
    }
  }

  /** A context names nothing of its key that its holder has not seen, directly or through what superseded it. */
  #claimsOnly(key: string, seen: DotSet, known: ReadonlySet<string>, who: string): void {
    // Under last-writer-wins a loser may be named: it gave way to a version with a greater stamp, whoever saw it.
    if (this.#conflict === 'lww') return
    for (const event of this.#events.values()) {
      if (event.key !== key || known.has(event.id) || this.#collected.has(event.id)) continue
      if (seen.has(event.dot)) {
        throw new Error(`${who} claims to have seen ${event.id} of ${key}`)
      }
    }
  }
}

/** Stands for a home that did not acknowledge. */
const NOBODY = new Home('nobody', [])
