// What the shape alone costs: a quorum store of public fastify routes, a Map, an append-only file and raw frames between three
// processes, with nothing in it. It asks whom Quorate asks, waits for W=2 of 3 and R=2, and groups its syncs likewise; there are no
// versions, contexts, receipts, limits, checksums, failures, nor any way to read the file again. No store of this shape in Node gets nearer
// to a bare server than this one does, so it says what a target may ask. As a process of its own: `processes.ts`.

import { closeSync, constants, openSync, write } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { fastify } from 'fastify'
import type { BareAnswers } from './load-plan.ts'

const [folder = '', told = '{"get":{},"put":{}}'] = process.argv.slice(2)
// From our own process.
const headers = JSON.parse(told) as BareAnswers
const values = new Map<string, Buffer>()

const ROOM_AHEAD = Buffer.alloc(256 << 10)
/** As in src/storage/gathering.ts. */
const GATHER = { least: 4, withinMs: 3 }

/** Appends in groups; `done` is called when the entry is durable. */
class AppendOnly {
  readonly #file: number
  #at = 0
  #end = 0
  #entries: Buffer[] = []
  #waiting: (() => void)[] = []
  #running = false
  #last = 0
  #begun = 0
  #timer: NodeJS.Timeout | null = null

  constructor(path: string) {
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC)
    process.once('exit', () => closeSync(this.#file))
  }

  append(key: string, value: Buffer, done: () => void): void {
    const entry = Buffer.allocUnsafe(8 + key.length + value.length)
    entry.writeUInt32LE(key.length, 0)
    entry.writeUInt32LE(value.length, 4)
    entry.write(key, 8, 'latin1')
    entry.set(value, 8 + key.length)
    this.#entries.push(entry)
    this.#waiting.push(done)
    if (!this.#running) {
      this.#running = true
      queueMicrotask(this.#write)
    } else if (this.#timer !== null && this.#waiting.length >= this.#last) {
      clearTimeout(this.#timer)
      this.#write()
    }
  }

  readonly #write = (): void => {
    const waiting = this.#waiting
    const entries = this.#entries
    this.#timer = null
    this.#waiting = []
    this.#entries = []
    this.#last = waiting.length
    this.#begun = performance.now()
    const at = this.#at
    for (const { length } of entries) this.#at += length
    if (this.#at > this.#end) {
      entries.push(ROOM_AHEAD)
      this.#end = this.#at + ROOM_AHEAD.length
    }
    const batch = Buffer.concat(entries)
    write(this.#file, batch, 0, batch.length, at, (error) => {
      if (error) throw error
      for (const done of waiting) done()
      this.#next()
    })
  }

  #next(): void {
    const leftMs = this.#begun + GATHER.withinMs - performance.now()
    if (this.#waiting.length === 0) this.#running = false
    else if (this.#last < GATHER.least || this.#waiting.length >= this.#last || leftMs <= 0) this.#write()
    else this.#timer = setTimeout(this.#write, leftMs)
  }
}

const log = folder === '' ? null : new AppendOnly(join(folder, `log-${process.pid}`))

function store(key: string, value: Buffer, done: () => void): void {
  values.set(key, value)
  if (log) log.append(key, value, done)
  else done()
}

const TYPE = { write: 0, read: 1, answer: 2 }
/** length u32 | type u8 | number u32 | key length u16 | key | value */
const HEAD_BYTES = 11
const NOTHING = Buffer.alloc(0)
const calls = new Map<number, () => void>()

function frameOf(type: number, number: number, key: string, value: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + key.length + value.length)
  frame.writeUInt32LE(frame.length, 0)
  frame.writeUInt8(type, 4)
  frame.writeUInt32LE(number, 5)
  frame.writeUInt16LE(key.length, 9)
  frame.write(key, HEAD_BYTES, 'latin1')
  frame.set(value, HEAD_BYTES + key.length)
  return frame
}

/** One connection; what is sent in one turn of the loop goes out in one write. */
class Link {
  readonly #socket: Socket
  #frames: Buffer[] = []
  #rest: Buffer = NOTHING

  constructor(socket: Socket) {
    this.#socket = socket.setNoDelay(true)
    socket.on('data', (bytes) => this.#receive(bytes))
    socket.on('error', () => process.exit())
  }

  send(frame: Buffer): void {
    if (this.#frames.push(frame) > 1) return
    setImmediate(() => {
      this.#socket.write(Buffer.concat(this.#frames))
      this.#frames = []
    })
  }

  #receive(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    let at = 0
    while (all.length - at >= 4 && all.length - at >= all.readUInt32LE(at)) {
      const end = at + all.readUInt32LE(at)
      this.#take(all.subarray(at, end))
      at = end
    }
    this.#rest = all.subarray(at)
  }

  #take(frame: Buffer): void {
    const number = frame.readUInt32LE(5)
    const keyEnd = HEAD_BYTES + frame.readUInt16LE(9)
    const key = frame.toString('latin1', HEAD_BYTES, keyEnd)
    const type = frame[4]
    const answer = (): void => this.send(frameOf(TYPE.answer, number, '', NOTHING))
    if (type === TYPE.write) store(key, Buffer.from(frame.subarray(keyEnd)), answer)
    else if (type === TYPE.read) this.send(frameOf(TYPE.answer, number, values.has(key) ? 'same' : '', NOTHING))
    else calls.get(number)?.()
  }
}

const peers: Link[] = []
let lastCall = 0

const app = fastify({ logger: false })
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
app.get<{ Params: { key: string } }>('/v1/kv/:bucket/:key', ({ params: { key } }, reply) => {
  const number = ++lastCall
  calls.set(number, () => {
    calls.delete(number)
    void reply.headers(headers.get).type('application/octet-stream').send(values.get(key))
  })
  peers[number % peers.length]?.send(frameOf(TYPE.read, number, key, NOTHING))
})
app.put<{ Params: { key: string } }>('/v1/kv/:bucket/:key', ({ params: { key }, body }, reply) => {
  const number = ++lastCall
  const value = body as Buffer
  let acknowledged = 0
  const acknowledge = (): void => {
    acknowledged++
    if (acknowledged === 2) void reply.headers(headers.put).code(204).send()
    if (acknowledged > peers.length) calls.delete(number)
  }
  calls.set(number, acknowledge)
  const frame = frameOf(TYPE.write, number, key, value)
  for (const peer of peers) peer.send(frame)
  store(key, value, acknowledge)
})
const server = createServer((socket) => new Link(socket)).listen(0, '127.0.0.1')
await app.listen({ host: '127.0.0.1', port: 0 })
const portOf = (bound: unknown): number => (bound as { port: number }).port
process.send?.([portOf(app.server.address()), portOf(server.address())])
process.once('message', (ports: readonly number[]) => {
  for (const port of ports) peers.push(new Link(connect(port, '127.0.0.1')))
  process.send?.('ready')
})
process.on('disconnect', () => process.exit())
