// Breaks things and mends them again: picks a kind, a victim and a duration, one after the other from the seed's own stream. Kinds are
// methods; what each may destroy is `losses.ts`. Invariant: every fault is counted, traced, told to `stability.ts`, and ends.

import { MapMemtable } from '../storage/memtable.ts'
import { decodeRecord } from '../core/causality/record.ts'
import { homesOf } from './holdings.ts'
import type { KeyHistory } from './history.ts'
import { attack } from './hostile-peer.ts'
import { Losses } from './losses.ts'
import { NO_NETWORK_FAULTS } from './network.ts'
import { bridge, type Cut, isolate, oneWay, ring, split } from './network-shapes.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { FaultKind } from './seed-plan.ts'
import type { Host } from './simulated-cluster.ts'
import { type DiskImage, NO_DISK_FAULTS } from './simulated-disk.ts'
import { type Stability, wayOf } from './stability.ts'
import { tally, type World } from './world.ts'

const BYTES_ENOUGH = 1 << 26
/** Longer than any operation. */
const QUIET_MS = 3000

export class Faults {
  readonly losses: Losses
  readonly #world: World
  readonly #stability: Stability
  readonly #random: SeededRandom
  readonly #images = new Map<string, DiskImage>()
  /** Directed ways, by how many faults hold them cut. */
  readonly #cuts = new Map<string, number>()
  /** Hosts that a fault keeps down. */
  readonly #held = new Set<string>()
  #networkFaults = 0
  count = 0
  over = false

  constructor(world: World, stability: Stability) {
    this.#world = world
    this.#stability = stability
    this.losses = new Losses(world)
    this.#random = world.cluster.random.fork('faults')
    world.cluster.onEnd.push((host) => stability.begin(host.name))
    world.cluster.onServing.push((host) => stability.end(host.name))
  }

  /** Injects until told to stop; resolves when the last fault has been mended. */
  async run(until: () => boolean): Promise<void> {
    const { plan } = this.#world
    const running = new Set<Promise<void>>()
    while (!until()) {
      await this.#wait(this.#random.exponential(plan.meanFaultIntervalMs))
      if (until()) break
      // One that is impossible now gives way to another.
      for (let attempt = 0, before = this.count; attempt < 5 && this.count === before; attempt++) {
        const fault = this.#inject(this.#random.pick(plan.faults))
        running.add(fault)
        void fault.then(() => running.delete(fault))
      }
    }
    this.over = true
    await Promise.all(running)
  }

  async #inject(kind: FaultKind): Promise<void> {
    const durationMs = 50 + this.#random.exponential(this.#world.plan.meanFaultDurationMs)
    switch (kind) {
      case 'kill':
        return this.#down(kind, 'reset', false, durationMs)
      case 'power-cut':
        return this.#down(kind, 'silent', true, durationMs)
      case 'crash-at-io':
        return this.#crashAtIo(durationMs)
      case 'pause':
        return this.#pause(durationMs)
      case 'isolate':
        return this.#cut(kind, isolate(this.#random, this.#names), durationMs)
      case 'split':
        return this.#cut(kind, split(this.#random, this.#names), durationMs)
      case 'ring':
        return this.#cut(kind, ring(this.#random, this.#names), durationMs)
      case 'bridge':
        return this.#cut(kind, bridge(this.#random, this.#names), durationMs)
      case 'one-way':
        return this.#cut(kind, oneWay(this.#random, this.#names), durationMs)
      case 'flapping':
        return this.#flap(durationMs)
      case 'slow-link':
        return this.#slowLink(durationMs)
      case 'slow-node':
        return this.#slowNode(durationMs)
      case 'slow-disk':
        return this.#disk(kind, { ...NO_DISK_FAULTS, meanMs: 1 + this.#random.exponential(8) }, durationMs)
      case 'lossy-network':
        return this.#lossy(
          kind,
          { dropFrame: 0.02, duplicateFrame: 0.05, reorderFrame: 0.05, delayMsMax: 80 },
          durationMs,
        )
      case 'resets':
        return this.#lossy(kind, { reset: 0.01 }, durationMs)
      case 'refused-connections':
        return this.#lossy(kind, { refuse: 0.5, reset: 0.003 }, durationMs)
      case 'broken-link':
        return this.#breakLink()
      case 'fragments':
        return this.#fragments(durationMs)
      case 'graceful-stop':
        return this.#stop(durationMs)
      case 'clock-jump':
        return this.#jump(durationMs)
      case 'failed-sync':
        return this.#disk(kind, { ...NO_DISK_FAULTS, syncError: 0.3 }, durationMs)
      case 'full-disk':
        return this.#fullDisk(durationMs)
      case 'restart-all':
        return this.#restartAll()
      case 'hostile-peer':
        return this.#hostile()
      case 'repair-now':
        return this.#repairNow()
      case 'wipe':
        return this.#wipe(durationMs)
      case 'bit-rot':
        return this.#rot(durationMs)
      case 'lost-record':
        return this.#loseRecord()
      case 'old-disk':
        return this.#oldDisk(durationMs)
    }
  }

  get #names(): readonly string[] {
    return this.#world.cluster.hosts.map(({ name }) => name)
  }

  #note(kind: FaultKind, what: string): void {
    this.count++
    tally(this.#world.faults, kind)
    this.#world.trace(`fault ${kind} ${what}`)
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void this.#world.cluster.time.after(milliseconds, resolve))
  }

  #victim(wanted: (host: Host) => boolean = (host) => host.serving): Host | null {
    const candidates = this.#world.cluster.hosts.filter((host) => wanted(host) && !this.#held.has(host.name))
    return candidates.length > 0 ? this.#random.pick(candidates) : null
  }

  // ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #down(kind: FaultKind, how: 'reset' | 'silent', powerCut: boolean, durationMs: number): Promise<void> {
    const host = this.#victim(
      ({ name, process }) => process?.alive === true && (!this.#world.plan.memory || this.losses.mayLose(name)),
    )
    if (!host) return
    this.#note(kind, `${host.name} for ${durationMs.toFixed(0)}`)
    this.#end(host, how, powerCut)
    await this.#backAfter(host, durationMs)
  }

  /** SIGTERM: what is under way ends, everything is synced; then the process is gone. */
  async #stop(durationMs: number): Promise<void> {
    const host = this.#victim(({ name, serving }) => serving && (!this.#world.plan.memory || this.losses.mayLose(name)))
    const node = host?.node
    if (!host || !node) return
    this.#note('graceful-stop', `${host.name} for ${durationMs.toFixed(0)}`)
    this.#held.add(host.name)
    this.#stability.begin(host.name)
    if (this.#world.plan.memory) this.losses.note(host.name)
    await Promise.race([node.drain(500), this.#wait(1500)])
    this.#stability.end(host.name)
    if (host.node === node) this.#end(host, 'reset', false)
    await this.#backAfter(host, durationMs)
  }

  /** Ends the run of a host; without a disk that is the loss of all it held. */
  #end(host: Host, how: 'reset' | 'silent', powerCut: boolean): void {
    const { cluster, plan, history } = this.#world
    cluster.crash(host, how, powerCut)
    if (plan.memory) this.losses.note(host.name)
    if (!powerCut || plan.memory) return
    // What was only promised to memory went with the power.
    const volatile = [...history.keys.values()].filter((key) => key.settings.durability === 'memory')
    if (volatile.length === 0) return
    this.losses.note(host.name)
    this.losses.suspend(volatile)
  }

  async #backAfter(host: Host, durationMs: number): Promise<void> {
    this.#held.add(host.name)
    await this.#wait(durationMs)
    this.#held.delete(host.name)
    this.bringBack(host)
  }

  bringBack(host: Host): void {
    if (host.process?.alive || this.#held.has(host.name)) return
    // A disk from before a replacement never serves again: its operator gives the node an empty one.
    if (host.fatal?.includes('has another storage now')) host.disk.wipe()
    this.#world.cluster.start(host)
  }

  async #crashAtIo(durationMs: number): Promise<void> {
    const { plan, history } = this.#world
    const hasVolatile = [...history.keys.values()].some((key) => key.settings.durability === 'memory')
    const host = this.#victim(
      ({ name, process }) => process?.alive === true && (!hasVolatile || this.losses.mayLose(name)),
    )
    if (!host || plan.memory) return
    const pattern = this.#random.pick([/./, /sync/, /append/, /rename|remove|sync-directory/])
    let left = this.#random.integer(1, 8)
    await new Promise<void>((resolve) => {
      host.disk.beforeOperation = (what) => {
        if (!pattern.test(what) || --left > 0 || !host.process?.alive) return
        host.disk.beforeOperation = null
        this.#note('crash-at-io', `${host.name} at ${what}`)
        this.#end(host, 'silent', true)
        resolve()
      }
      void this.#wait(durationMs + 500).then(() => {
        host.disk.beforeOperation = null
        resolve()
      })
    })
    if (!host.process?.alive) await this.#backAfter(host, durationMs)
  }

  async #pause(durationMs: number): Promise<void> {
    const host = this.#victim()
    if (!host) return
    this.#note('pause', `${host.name} for ${durationMs.toFixed(0)}`)
    this.#stability.begin(host.name)
    host.process?.pause(durationMs)
    await this.#wait(durationMs + 50)
    this.#stability.end(host.name)
  }

  async #slowNode(durationMs: number): Promise<void> {
    const host = this.#victim()
    if (!host) return
    this.#note('slow-node', `${host.name} for ${durationMs.toFixed(0)}`)
    this.#stability.begin(host.name)
    const until = this.#world.cluster.time.now + durationMs
    while (this.#world.cluster.time.now < until) {
      host.process?.pause(this.#random.exponential(25))
      await this.#wait(5 + this.#random.exponential(30))
    }
    this.#stability.end(host.name)
  }

  async #restartAll(): Promise<void> {
    const { cluster, plan } = this.#world
    if (plan.memory || cluster.serving.length < cluster.hosts.length || this.#held.size > 0) return
    const powerCut = this.#random.chance(0.5) && !plan.buckets.some(({ settings }) => settings.durability === 'memory')
    this.#note('restart-all', powerCut ? 'power cut' : 'killed')
    for (const host of cluster.hosts) this.#end(host, powerCut ? 'silent' : 'reset', powerCut)
    const pauses = cluster.hosts.map((host) => [host, this.#random.exponential(300)] as const)
    await Promise.all(pauses.map(([host, pauseMs]) => this.#backAfter(host, pauseMs)))
  }

  // ── network ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async #cut(kind: FaultKind, cuts: readonly Cut[], durationMs: number): Promise<void> {
    if (cuts.length === 0) return
    this.#note(kind, `${cuts.map((cut) => cut.join('>')).join(' ')} for ${durationMs.toFixed(0)}`)
    for (const cut of cuts) this.#hold(cut)
    await this.#wait(durationMs)
    for (const cut of cuts) this.#release(cut)
  }

  #hold([from, to]: Cut): void {
    const way = `${from}>${to}`
    this.#cuts.set(way, (this.#cuts.get(way) ?? 0) + 1)
    this.#stability.begin(wayOf(from, to))
    this.#world.cluster.network.cut(from, to)
  }

  #release([from, to]: Cut): void {
    const way = `${from}>${to}`
    const left = (this.#cuts.get(way) ?? 1) - 1
    this.#cuts.set(way, left)
    this.#stability.end(wayOf(from, to))
    if (left === 0) this.#world.cluster.network.heal(from, to)
  }

  async #flap(durationMs: number): Promise<void> {
    const cuts = isolate(this.#random, this.#names)
    this.#note('flapping', `${cuts[0]?.[0] ?? ''} for ${durationMs.toFixed(0)}`)
    const until = this.#world.cluster.time.now + durationMs
    while (this.#world.cluster.time.now < until) {
      for (const cut of cuts) this.#hold(cut)
      await this.#wait(this.#random.exponential(150))
      for (const cut of cuts) this.#release(cut)
      await this.#wait(this.#random.exponential(150))
    }
  }

  async #slowLink(durationMs: number): Promise<void> {
    const [from, to] = this.#random.shuffle(this.#names) as [string, string]
    const extraMs = this.#random.exponential(150)
    this.#note('slow-link', `${from}>${to} by ${extraMs.toFixed(0)} for ${durationMs.toFixed(0)}`)
    this.#stability.begin(wayOf(from, to))
    this.#world.cluster.network.setDelay(from, to, extraMs)
    await this.#wait(durationMs)
    this.#world.cluster.network.setDelay(from, to, 0)
    this.#stability.end(wayOf(from, to))
  }

  async #lossy(kind: FaultKind, rates: Partial<typeof NO_NETWORK_FAULTS>, durationMs: number): Promise<void> {
    const { network } = this.#world.cluster
    this.#note(kind, `for ${durationMs.toFixed(0)}`)
    this.#networkFaults++
    this.#stability.begin('everything')
    network.faults = { ...network.faults, ...rates }
    await this.#wait(durationMs)
    if (--this.#networkFaults === 0) network.faults = NO_NETWORK_FAULTS
    this.#stability.end('everything')
  }

  /** TCP as it may be: no trouble, so nothing that anybody could blame. */
  async #fragments(durationMs: number): Promise<void> {
    const { network } = this.#world.cluster
    this.#note('fragments', `for ${durationMs.toFixed(0)}`)
    network.faults = { ...network.faults, fragment: 0.5 }
    await this.#wait(durationMs)
    network.faults = { ...network.faults, fragment: 0 }
  }

  async #breakLink(): Promise<void> {
    const [a, b] = this.#random.shuffle(this.#names) as [string, string]
    this.#note('broken-link', `${a}-${b}`)
    this.#world.cluster.network.resetBetween(a, b)
    this.#stability.disturb(wayOf(a, b))
  }

  async #hostile(): Promise<void> {
    const { cluster, plan } = this.#world
    const host = this.#victim()
    if (!host) return
    this.#note('hostile-peer', host.name)
    await attack(cluster, this.#random.fork(`hostile ${this.count}`), plan, host)
  }

  // ── clocks, repair ───────────────────────────────────────────────────────────────────────────────────────────────

  async #jump(durationMs: number): Promise<void> {
    const host = this.#victim()
    const process = host?.process
    if (!host || !process) return
    const byMs = this.#random.pick([-1, 1]) * this.#random.integer(100, 3000)
    this.#note('clock-jump', `${host.name} by ${byMs} for ${durationMs.toFixed(0)}`)
    this.#world.clocksTrusted = false
    process.clock.jump(byMs)
    await this.#wait(durationMs)
    process.clock.jump(-byMs)
  }

  async #repairNow(): Promise<void> {
    const host = this.#victim()
    if (!host?.node) return
    this.#note('repair-now', host.name)
    // A node that dies meanwhile never answers.
    await Promise.race([host.node.repairNow(), this.#wait(3000)])
  }

  // ── disks ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #disk(kind: FaultKind, faults: typeof NO_DISK_FAULTS, durationMs: number): Promise<void> {
    const host = this.#victim()
    if (!host) return
    this.#note(kind, `${host.name} for ${durationMs.toFixed(0)}`)
    this.#stability.begin(host.name)
    host.disk.faults = faults
    await this.#wait(durationMs)
    host.disk.faults = NO_DISK_FAULTS
    this.#stability.end(host.name)
    await this.#wait(this.#random.exponential(300))
    // Pages that a failed sync has given up are gone with the next power cut, at the latest.
    if (!host.process?.alive && this.#random.chance(0.5) && !this.#held.has(host.name)) host.disk.powerCut()
    this.bringBack(host)
  }

  async #fullDisk(durationMs: number): Promise<void> {
    const host = this.#victim()
    if (!host) return
    const room = this.#random.integer(0, 6000)
    await this.#disk('full-disk', { ...NO_DISK_FAULTS, capacityBytes: host.disk.usedBytes + room }, durationMs)
  }

  async #wipe(durationMs: number): Promise<void> {
    const host = this.#victim(({ name }) => this.losses.mayLose(name))
    if (!host) return
    this.#note('wipe', `${host.name} for ${durationMs.toFixed(0)}`)
    this.losses.note(host.name)
    this.#world.cluster.crash(host, this.#random.pick(['reset', 'silent']), true)
    host.disk.wipe()
    // Links are told to the new storage and dismissed for the old one: everybody's way is disturbed for a while.
    this.#stability.disturb('everything')
    await this.#backAfter(host, durationMs)
    this.#stability.disturb('everything')
  }

  /** Damage at rest, in the middle of a file: it must be noticed, or do no harm. */
  async #rot(durationMs: number): Promise<void> {
    const { violations, trace } = this.#world
    const host = this.#victim(({ name }) => this.losses.mayLose(name))
    const before = host?.node?.rooms?.storage
    if (!host || !before) return
    this.losses.note(host.name)
    this.#end(host, 'reset', true)
    const flips = this.#random.integer(1, 4)
    const where = Array.from({ length: flips }, () => host.disk.rotBeforeLastSync())
    this.#note('bit-rot', `${host.name} ${where.map((at) => (at ? `${at.name}@${at.position}` : '-')).join(' ')}`)
    this.#stability.disturb('everything')
    await this.#backAfter(host, durationMs)
    this.#stability.disturb('everything')
    const { node } = host
    if (!node || where.every((at) => at === null)) return
    while (host.node === node && !host.serving) await this.#wait(50)
    const rooms = host.node?.rooms
    if (host.node !== node || !rooms) return
    if (rooms.storage.recovery.damaged.length > 0 || rooms.storage.recovery.isNew) return
    // It says that nothing is damaged: then nothing that was synced may be missing.
    for (const partition of before.partitions()) {
      for (const entry of before.memtable.each(partition)) {
        if (entry.lsn > before.syncedLsn) continue
        const clock = rooms.storage.clockOf(partition)
        for (const { dot } of decodeRecord(entry.bytes).versions) {
          if (!clock.has(dot))
            violations.add(
              'G13',
              `${host.name} started over damaged bytes without a word, and lacks ${dot.life}-${dot.counter} of ${entry.bucket}/${entry.key}`,
            )
        }
      }
    }
    trace(`bit rot on ${host.name} did no harm`)
  }

  /** One record vanishes from one home's memory, and the tree with it: only a comparison of trees can find that. */
  async #loseRecord(): Promise<void> {
    const { cluster, history, plan } = this.#world
    if (!plan.healing.antiEntropy || !this.losses.isWhole) return
    const keys = [...history.keys.values()].filter((key) => this.#canLoseRecord(key))
    if (keys.length === 0) return
    const key = this.#random.pick(keys)
    // What is under way (repair behind answers, too) must not touch it any more.
    key.quiet = true
    await this.#wait(QUIET_MS)
    const homes = homesOf(cluster, key)
    const host = homes.length > 0 ? cluster.host(this.#random.pick(homes)) : null
    const rooms = host?.node?.rooms
    const isPossible = this.losses.isWhole && key.busy === 0 && this.#canLoseRecord(key)
    if (!isPossible || !host || !rooms || !(rooms.storage.memtable instanceof MapMemtable)) {
      key.quiet = false
      return
    }
    this.#note('lost-record', `${key.name} at ${host.name}`)
    this.losses.note(host.name)
    this.losses.suspend([key])
    rooms.storage.memtable.remove(key.partition, key.bucket, key.key)
    rooms.indexes.forget(key.partition)
  }

  #canLoseRecord(key: KeyHistory): boolean {
    const { cluster } = this.#world
    if (key.suspended || key.settings.durability === 'memory' || cluster.serving.length < cluster.hosts.length)
      return false
    if (cluster.hosts.some(({ node }) => (node?.rooms?.storage.hints.get(key).length ?? 0) > 0)) return false
    const homes = homesOf(cluster, key)
    return homes.length > 1 && homes.every((home) => this.#holdsOnlyLasting(home, key))
  }

  #holdsOnlyLasting(home: string, key: KeyHistory): boolean {
    const entry = this.#world.cluster.host(home).node?.rooms?.storage.memtable.get(key.partition, key.bucket, key.key)
    const versions = entry ? decodeRecord(entry.bytes).versions : []
    return versions.length > 0 && versions.every((version) => version.content !== null && version.deadlineMs === null)
  }

  /** A directory is put back as it was some time ago: nothing but unique dots is promised from then on. */
  async #oldDisk(durationMs: number): Promise<void> {
    const { cluster } = this.#world
    const host = this.#victim(({ name }) => this.losses.mayLose(name))
    if (!host) return
    const image = this.#images.get(host.name)
    if (!image) {
      this.#images.set(host.name, host.disk.syncedImage())
      return
    }
    this.#note('old-disk', host.name)
    this.losses.note(host.name)
    this.#world.disksTrusted = false
    cluster.crash(host, 'reset', true)
    host.disk.restore(image)
    await this.#backAfter(host, durationMs)
  }

  /** The end of all faults, for the proof that what was broken heals. */
  mendAll(): void {
    const { cluster } = this.#world
    cluster.network.faults = NO_NETWORK_FAULTS
    cluster.network.healAll()
    for (const host of cluster.hosts) {
      host.disk.faults = NO_DISK_FAULTS
      host.disk.beforeOperation = null
      this.bringBack(host)
    }
    cluster.limits = { ...cluster.limits, bytesMax: BYTES_ENOUGH }
  }

  /** A node whose budget is used up takes few hints: its operator starts it again with a larger one. */
  enlarge(host: Host): void {
    const storage = host.node?.rooms?.storage
    if (!host.serving || !storage?.isFull || storage.stats.bytes > BYTES_ENOUGH || this.#world.plan.memory) return
    this.#world.trace(`enlarge ${host.name}`)
    this.#world.cluster.crash(host, 'reset', false)
    this.#world.cluster.start(host)
  }
}
