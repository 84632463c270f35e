// Who belongs to this cluster, as this node knows it: founds it with the others, takes a known name's place with a new storage, keeps
// the member table durable and brings it together with every peer's. Decides admission. Knows nothing of keys.
// Invariants: a view is frozen on disk before it is published; a table is never given up for another cluster's; a storage that has been
// replaced never serves again.

import { MalformedBytes } from '../core/bytes.ts'
import { decodeFoundingView, encodeFoundingView, type FoundingView } from '../core/membership/founding-view.ts'
import { Founding } from '../core/membership/founding.ts'
import type { Identity } from '../core/membership/identity.ts'
import { type ClusterTerms, MemberTable } from '../core/membership/member-table.ts'
import { Ring } from '../core/ring/ring.ts'
import { QuorateError } from '../errors.ts'
import type { Admission } from '../link/settings.ts'
import type { GoodbyeFrame, HelloFrame } from '../protocol/messages.ts'
import type { Storage } from '../storage/storage.ts'
import type { Logger } from '../telemetry/log.ts'
import { decodeTable, encodeTable, type Table } from './tables.ts'

export interface MembershipParts {
  readonly storage: Storage
  readonly logger: Logger
  readonly self: Identity
  readonly terms: ClusterTerms
  /** How many founders to wait for; null: join a cluster that exists. */
  readonly expect: number | null
  readonly monotonic: () => number
  /** A member that was not heard for so long is gone. */
  readonly silenceMs: number
  /** Whether the member's link is up and fresh, and with which storage. */
  readonly heard: (member: string) => string | null
  /** The table or the view changed: tell the others. */
  readonly onChange: () => void
  /** This node may not be part of the cluster: it must stop. */
  readonly onFatal: (error: QuorateError) => void
  /** This storage takes the place of another under a known name: everything must be filled. Durable before it resolves. */
  readonly onNewStorage: () => Promise<void>
}

const TABLE = 'members'
const VIEW = 'founding'
/** The name under which this storage was first started. */
const OWNER = 'owner'

export class Membership {
  readonly #parts: MembershipParts
  readonly #self: Identity
  #founding: Founding | null = null
  #published: FoundingView | null = null
  #table: MemberTable | null = null
  #ring: Ring | null = null
  /** A cluster that has this name with another storage, found but not yet joined. */
  #found: MemberTable | null = null
  #joining = false
  /** When a peer first, and when one last, said that this name's old storage is alive. */
  #nameTakenAt: number | null = null
  #nameTakenLastAt: number | null = null

  constructor(parts: MembershipParts) {
    this.#parts = parts
    this.#self = parts.self
  }

  /** What this storage kept from before: its table, or the view that it froze. Throws `cluster` or `config`. */
  load(): void {
    const { storage, expect, terms } = this.#parts
    const kept = storage.catalog(TABLE)
    const table = kept ? MemberTable.decode(kept) : null
    this.#requireOwn(table)
    if (table) {
      const announced = table.announce(this.#self)
      if (announced === 'unknown-member') throw this.#notOurs(`one of ${table.names.join(', ')}`)
      this.#keep(announced)
      return
    }
    if (expect === null) return
    const bytes = storage.catalog(VIEW)
    const view = bytes ? decodeFoundingView(bytes) : null
    // After damage this is another storage, and what the old one froze was frozen under an identity that is gone.
    const isMine = view?.candidates.some(
      ({ name, storage: id }) => name === this.#self.name && id === this.#self.storage,
    )
    this.#founding = new Founding(this.#self, { ...terms, expect }, isMine ? view : null)
  }

  /** Under another member's name its records would count as that member's, which has others. */
  #requireOwn(table: MemberTable | null): void {
    const { storage } = this.#parts
    const { name, storage: identity } = this.#self
    const bytes = storage.catalog(OWNER)
    const owner = bytes ? Buffer.from(bytes).toString() : table?.ownerOf(identity)
    if (owner !== undefined && owner !== name) throw this.#notOurs(owner)
    if (!bytes) storage.setCatalog(OWNER, Buffer.from(name))
  }

  #notOurs(owner: string): QuorateError {
    const { name } = this.#self
    const detail = `this storage belongs to ${owner}: start it under that name, or give ${name} a directory of its own`
    return new QuorateError('cluster', detail)
  }

  get table(): MemberTable | null {
    return this.#table
  }

  get ring(): Ring | null {
    return this.#ring
  }

  /** What is being waited for, in words; null once the cluster is formed. */
  get waitingFor(): string | null {
    if (this.#table) return null
    if (this.#found) return 'the cluster knows this name with another storage; taking its place'
    if (!this.#founding) return 'no member of the cluster has answered yet'
    const { status } = this.#founding
    if (status.state === 'gathering')
      return `founding: ${status.missing} more members are expected (known: ${status.known.join(', ')})`
    if (status.state === 'frozen') {
      const others = status.disagreeing.length > 0 ? `; ${status.disagreeing.join(', ')} found(s) another cluster` : ''
      return `founding: waiting for ${status.silent.join(', ') || 'nobody'}${others}`
    }
    return null
  }

  /** For hellos and for everybody who asks. */
  get encoded(): Buffer {
    return encodeTable(this.#current())
  }

  get digest(): string {
    return this.#table?.digest ?? ''
  }

  /** Begins: a single founder is settled at once. */
  async start(): Promise<void> {
    await this.#publish()
  }

  admit(hello: HelloFrame): Admission {
    let theirs: Table
    try {
      theirs = decodeTable(hello.table)
    } catch (error) {
      if (error instanceof MalformedBytes) return { accept: false, reason: 'protocol', detail: error.message }
      throw error
    }
    const table = this.#table
    if (!table) {
      if (theirs.type === 'formed' && !theirs.table.member(this.#self.name)) {
        this.#parts.onFatal(
          new QuorateError(
            'cluster',
            `cluster ${theirs.table.clusterId} does not know the name ${this.#self.name}; its members are settled: ${theirs.table.names.join(', ')}`,
          ),
        )
      }
      const { name, storage } = this.#self
      // Founders wait for different names. Which of the two has to go is settled by no more than that both say the same.
      if (theirs.type === 'founding' && hello.name === name && storage < hello.storage)
        return {
          accept: false,
          reason: 'name-taken',
          detail: `another node that founds this cluster is called ${name} too`,
        }
      return { accept: true }
    }
    const known = table.member(hello.name)
    if (!known)
      return { accept: false, reason: 'unknown-member', detail: `${hello.name} is not a member of ${table.clusterId}` }
    if (known.storage === hello.storage) return { accept: true }
    const owner = table.ownerOf(hello.storage)
    if (owner !== undefined)
      return { accept: false, reason: 'name-taken', detail: `storage ${hello.storage} is that of ${owner}` }
    // With an id it speaks as a member; without one it has only found the cluster and asks for the name's place.
    if (hello.clusterId !== null && theirs.type === 'formed') {
      const merged = table.merge(theirs.table)
      if (merged === 'foreign-cluster')
        return { accept: false, reason: 'wrong-cluster', detail: 'the member tables are of different clusters' }
      if (merged.storageOf(hello.name) !== hello.storage) {
        return { accept: false, reason: 'replaced', detail: `${hello.name} has another storage now` }
      }
    }
    // A newcomer under a known name: not while its predecessor is still heard — or is this very process.
    if (hello.name === this.#self.name || this.#parts.heard(hello.name) === known.storage) {
      return { accept: false, reason: 'name-taken', detail: `${hello.name} is alive with storage ${known.storage}` }
    }
    return { accept: true }
  }

  onHello(hello: HelloFrame): void {
    this.receive(
      { name: hello.name, storage: hello.storage, peerAddress: hello.peerAddress, clientAddress: hello.clientAddress },
      decodeTable(hello.table),
    )
  }

  onGoodbye(reason: GoodbyeFrame['reason'], detail: string): void {
    const { monotonic, silenceMs, onFatal } = this.#parts
    const refused = new QuorateError('cluster', `this node may not join: ${reason} (${detail})`)
    if (reason === 'replaced') onFatal(refused)
    if (reason === 'name-taken') {
      // A predecessor that died without a word is still taken for alive until its silence has lasted long enough.
      this.#nameTakenAt ??= monotonic()
      this.#nameTakenLastAt = monotonic()
      if (monotonic() - this.#nameTakenAt > silenceMs) onFatal(refused)
    }
    // Before this node belongs anywhere, the cluster that it was sent to is the wrong one; later the stranger is.
    if ((reason === 'unknown-member' || reason === 'wrong-cluster') && !this.#table) onFatal(refused)
    if (reason === 'wrong-cluster' || reason === 'bad-secret')
      this.#parts.logger.error({ reason, detail }, 'a peer refuses this node')
  }

  /** A peer's table or view. */
  receive(from: Identity, theirs: Table): void {
    if (theirs.type === 'founding') {
      if (this.#founding && !this.#table) {
        this.#founding.hear(from, theirs.view)
        this.#publish().catch((error: unknown) => this.#failedDisk(error))
      }
      return
    }
    if (this.#table) {
      const merged = this.#table.merge(theirs.table)
      if (merged !== 'foreign-cluster' && merged !== this.#table) this.#keep(merged)
      return
    }
    const me = theirs.table.member(this.#self.name)
    if (!me) {
      this.#parts.onFatal(
        new QuorateError('cluster', `cluster ${theirs.table.clusterId} does not know the name ${this.#self.name}`),
      )
      return
    }
    if (me.storage === this.#self.storage) {
      const announced = theirs.table.announce(this.#self)
      if (announced !== 'unknown-member') this.#keep(announced)
      return
    }
    const merged = this.#found?.merge(theirs.table)
    this.#found = merged === undefined || merged === 'foreign-cluster' ? theirs.table : merged
  }

  /** Members to be linked: of the table, or of the cluster that was found. */
  get peers(): readonly { readonly name: string; readonly peerAddress: string }[] {
    return this.#table?.members ?? this.#found?.members ?? this.#founding?.view.candidates ?? []
  }

  /**
   * Takes the place of the old storage under this name, once every other member was asked or `isOverdue`: a member that still hears
   * the old one says so at the handshake, and then that is waited for. True when this node is (or already was) part of the cluster.
   */
  async takePlace(isOverdue: boolean): Promise<boolean> {
    if (this.#table) return true
    const found = this.#found
    if (!found || this.#joining) return false
    const others = found.names.filter((name) => name !== this.#self.name)
    const linked = others.filter((name) => this.#parts.heard(name) !== null)
    const { monotonic, silenceMs } = this.#parts
    const isTaken = this.#nameTakenLastAt !== null && monotonic() - this.#nameTakenLastAt <= silenceMs
    if (linked.length < others.length && !(isOverdue && linked.length > 0 && !isTaken)) return false
    this.#joining = true
    await this.#parts.onNewStorage()
    const announced = (this.#found ?? found).announce(this.#self)
    if (announced === 'unknown-member') throw new QuorateError('cluster', 'the name has left the cluster')
    this.#keep(announced)
    await this.#parts.storage.synced(this.#parts.storage.lastLsn)
    return true
  }

  #current(): Table {
    if (this.#table) return { type: 'formed', table: this.#table }
    if (this.#found) return { type: 'formed', table: this.#found }
    const view = this.#published ?? { ...this.#parts.terms, expect: 1, candidates: [this.#self] }
    return { type: 'founding', view }
  }

  /** Makes the view durable, then known; settles when everyone in it says the same. */
  async #publish(): Promise<void> {
    const founding = this.#founding
    if (!founding || this.#table) return
    const { storage, onChange } = this.#parts
    const { status, view } = founding
    if (status.state === 'settled') {
      this.#keep(status.table)
      return
    }
    const bytes = encodeFoundingView(view)
    if (this.#published && encodeFoundingView(this.#published).equals(bytes)) return
    if (founding.frozen) await storage.synced(storage.setCatalog(VIEW, bytes))
    this.#published = view
    onChange()
  }

  #failedDisk(error: unknown): void {
    if (!(error instanceof QuorateError)) throw error
    this.#parts.onFatal(error)
  }

  #keep(table: MemberTable): void {
    const { storage, logger, onChange, onFatal } = this.#parts
    const before = this.#table
    const current = table.storageOf(this.#self.name)
    if (before && current !== this.#self.storage) {
      onFatal(new QuorateError('cluster', `${this.#self.name} has another storage now: ${current}`))
      return
    }
    this.#table = table
    this.#ring ??= Ring.ofFounders(table.names, table.terms.partitions)
    try {
      storage.setCatalog(TABLE, table.encode())
    } catch (error) {
      // This is reached from frames of peers, which nobody waits for.
      return this.#failedDisk(error)
    }
    if (!before) logger.info({ cluster: table.clusterId, members: table.names }, 'cluster known')
    onChange()
  }
}
